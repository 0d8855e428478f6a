"""What must hold of workflows and pipelines, beyond what their own schemas say."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

Job = dict[Any, Any]

RELEASE = {"contents": "read", "packages": "write", "id-token": "write", "attestations": "write"}
"""What the job that publishes may do, and no other."""

PIN = re.compile(
    r"(?P<action>[\w-]+/[\w./-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)"
)

# Nothing would renew a digest in `services:`, where Dependabot does not look.
ZIZMOR = "rules: { unpinned-images: { disable: true } }"


def program(name: str) -> str:
    """Return where a program is: beside our Python, or on PATH."""
    found = shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name)
    assert found, f"There is no {name}: it comes with the development dependencies."
    return found


def require(directory: Path, *command: str | Path, given: str = "") -> str:
    """Run a checker, which must find nothing, and return what it prints."""
    tool, *arguments = map(str, command)
    result = subprocess.run(
        [program(tool), *arguments],
        cwd=directory,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{tool}: {result.stdout}"
    return result.stdout


def require_schema(name: str, *files: Path) -> None:
    """Hold files against a schema that comes with check-jsonschema."""
    require(files[0].parent, "check-jsonschema", "--builtin-schema", f"vendor.{name}", *files)


# ------------------------------------------------------------------------------ GitHub


def check_github(repository: Path) -> None:
    """Check the workflows and Dependabot's file of a repository."""
    workflows = sorted(repository.glob(".github/workflows/*.yml"))
    list(pins(*workflows))
    require_schema("github-workflows", *workflows)
    require_schema("dependabot", repository / ".github" / "dependabot.yml")
    for file in workflows:
        check_workflow(file.name, yaml.safe_load(file.read_text(encoding="utf-8")))
    if not (repository / ".git").exists():
        require(repository, "git", "init", "--quiet")  # by which actionlint finds called workflows
    shellcheck = f"-shellcheck={program('shellcheck')}"
    require(repository, "actionlint", "-no-color", shellcheck, *workflows)
    zizmor = ("zizmor", "--offline", "--pedantic", "--quiet", "--config=/dev/stdin")
    require(repository, *zizmor, ".github", given=ZIZMOR)


def check_workflow(file: str, workflow: Job) -> None:
    """Jobs have only the permissions they need, and releases have SBOM and provenance."""
    triggers = workflow[True]  # what YAML 1.1 makes of `on`
    assert "pull_request_target" not in triggers, f"{file}: runs what strangers send"
    assert workflow["permissions"] == {"contents": "read"}, f"{file}: permissions"
    for name, job in workflow["jobs"].items():
        publishes = (file, name) == ("release.yml", "image")
        assert job.get("permissions") == (RELEASE if publishes else None), f"{name}: permissions"
        assert "uses" in job or "timeout-minutes" in job, f"{name}: no timeout-minutes"
        check_services(name, job.get("env", {}), dict(published(job)))
        for step in job.get("steps", ()):
            if publishes and step.get("uses", "").startswith("docker/build-push-action@"):
                given = step["with"].keys() - {"context", "tags", "labels"}
                assert given == {"push", "sbom", "provenance"}, f"{name}: built with {given}"


def pins(*workflows: Path) -> Iterator[tuple[str, str]]:
    """Yield every action of some workflows, with the commit and version that it is pinned to."""
    for file in workflows:
        for used in re.findall(r"\buses: (.*)", file.read_text(encoding="utf-8")):
            if not used.startswith("./"):
                pin = PIN.fullmatch(used)
                assert pin, f"{file.name}: {used} is not pinned"
                yield pin["action"], f"{pin['commit']} {pin['version']}"


def published(job: Job) -> Iterator[tuple[str, Job]]:
    """Yield a job's services by the address at which its steps reach them."""
    for service in job.get("services", {}).values():
        for port in service["ports"]:
            yield f"localhost:{port.partition(':')[0]}", service.get("env", {})


# ------------------------------------------------------------------------------ GitLab


def check_gitlab(repository: Path) -> None:
    """Check the pipeline and Renovate's file of a repository."""
    file = repository / ".gitlab-ci.yml"
    require_schema("gitlab-ci", file)
    require_schema("renovate", repository / "renovate.json")
    pipeline = yaml.safe_load(file.read_text(encoding="utf-8"))
    for name, job in jobs_of(pipeline).items():
        assert job["stage"] in pipeline["stages"], f"{name}: no stage {job['stage']}"
        rules, publishes = job.get("rules", []), job["stage"] == "release"
        assert not publishes or rules == [{"if": "$CI_COMMIT_TAG"}], f"{name}: not only for tags"
        image = job.get("image", pipeline["default"]["image"])
        check_image(name, image if isinstance(image, str) else image["name"])
        variables = job.get("variables", {})
        addresses = {}
        for service in job.get("services", ()):
            check_image(name, service["name"])
            addresses[service["alias"]] = variables
        check_services(name, variables, addresses)
        require(repository, "shellcheck", "--shell=bash", "-", given=script_of(job))


def jobs_of(pipeline: Job) -> dict[str, Job]:
    """Return a pipeline's jobs, each with what it extends."""
    keywords = {"workflow", "stages", "default", "variables"}
    whole = {name: job for name, job in pipeline.items() if name not in keywords}
    jobs = {}
    for name, job in whole.items():
        base = job.get("extends")
        assert base is None or base in whole, f"{name}: no {base} to extend"
        merged = {**whole.get(base, {}), **job}
        if not name.startswith("."):
            merged["variables"] = {
                **whole.get(base, {}).get("variables", {}),
                **job.get("variables", {}),
            }
            jobs[name] = merged
    return jobs


def script_of(job: Job) -> str:
    """Return what a job runs, as GitLab's runner puts it together."""
    return "\n".join(["set -eo pipefail", *job.get("before_script", []), *job["script"], ""])


def check_image(owner: str, image: str) -> None:
    """An image has a tag that says something; Renovate adds the digest."""
    assert re.fullmatch(r"[\w./-]+:(?!latest)[\w.-]+(@sha256:[0-9a-f]{64})?", image), (
        f"{owner}: {image}"
    )


# ------------------------------------------------------------------------------ both


def check_services(job: str, variables: Job, services: dict[str, Job]) -> None:
    """Each URL that a job has leads to a service of it, with the password that it was given."""
    for name, value in variables.items():
        if name.endswith("_URL"):
            url = urlsplit(value)
            address = next(
                (at for at in (url.hostname, f"{url.hostname}:{url.port}") if at in services), None
            )
            assert address, f"{job}: {name} leads to no service"
            password = services[address].get("POSTGRES_PASSWORD")
            assert url.scheme != "postgresql" or url.password == password, (
                f"{job}: {name}: password"
            )
