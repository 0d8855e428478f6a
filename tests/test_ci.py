"""The CI that a project brings, held against its checkers, and run where it needs no network."""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.shell import commit, git, run
from tests.support.template import ROOT, Render
from tests.support.workflows import check_github, check_gitlab, jobs_of, pins, program, script_of

pytestmark = pytest.mark.delivery

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CHECKS = {"github": check_github, "gitlab": check_gitlab}
# Only what the files depend on.
VARIANTS = [
    {"preset": "minimal", "python_version": "3.11"},
    {"preset": "minimal", "redis": True},
    {"preset": "minimal", "auth": True},
    {"preset": "full", "project_slug": "s" * 40},
]
STUB = """\
name: stub
description: Does nothing.
runs: { using: composite, steps: [{ run: "true", shell: bash }] }
"""
# Runs what the image would, in the directory that would be mounted.
DOCKER = """\
#!/bin/bash
while [ "$1" != "$GITLEAKS" ]; do
  if [ "$1" = --volume ]; then repo=${2%%:*}; fi
  shift
done
exec gitleaks "${@:2:$#-2}" "$repo"
"""


def name_of(answers: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in answers.items())


@pytest.fixture(scope="module")
def github(render: Render) -> Path:
    """A project with everything, as it is on GitHub."""
    project = render(preset="full", python_version=PYTHON)
    commit(project)
    return project


@pytest.fixture(scope="module")
def gitlab(render: Render) -> Path:
    """The same on GitLab."""
    project = render(preset="full", python_version=PYTHON, ci="gitlab")
    commit(project)
    return project


@pytest.mark.parametrize("answers", VARIANTS, ids=name_of)
@pytest.mark.parametrize("system", CHECKS)
def test_files_are_right(render: Render, system: str, answers: dict[str, Any]) -> None:
    CHECKS[system](render(**{**answers, "ci": system}))


@pytest.mark.parametrize("system", ["none", *CHECKS])
def test_no_word_of_the_other_system(render: Render, system: str) -> None:
    project = render(preset="full", ci=system)
    others = re.compile(
        "|".join(rf"\b{other}\b" for other in CHECKS if other != system), re.IGNORECASE
    )
    for path in project.rglob("*"):
        assert not others.search(path.name), path
        if path.is_file() and path.name not in {".copier-answers.yml", "uv.lock"}:
            assert not others.search(path.read_text(encoding="utf-8")), path


def test_our_own_are_right(github: Path, tmp_path: Path) -> None:
    """They pass the same checks, and name the same versions: Dependabot reads no `.jinja`."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    check_github(tmp_path)
    ours = dict(pins(*ROOT.glob(".github/workflows/*.yml")))
    theirs = dict(pins(*github.glob(".github/workflows/*.yml")))
    assert ours == {action: theirs[action] for action in ours}


CI, RELEASE, BOT = (
    ".github/workflows/ci.yml",
    ".github/workflows/release.yml",
    ".github/dependabot.yml",
)
PIPELINE, RENOVATE = ".gitlab-ci.yml", "renovate.json"

Fault = tuple[str, str, str, str]
"""What a check says, where it looks, and what is there in place of what should be."""


@pytest.mark.parametrize(
    "fault",
    [
        # Whom it trusts
        ("not pinned", CI, r"actions/checkout@\w+ # v[\d.]+", "actions/checkout@v7"),
        ("not pinned", CI, r"(setup-uv@\w+) # v[\d.]+", r"\1"),
        ("not pinned", RELEASE, r"attest@\w+ # v[\d.]+", "attest@main"),
        ("zizmor.*artipacked", CI, r"        with:\n          persist-credentials: .*\n", ""),
        ("what strangers send", CI, "  pull_request:", "  pull_request_target:"),
        ("actionlint.*untrusted", CI, "make lint", "echo ${{ github.event.pull_request.title }}"),
        ("zizmor.*template-inj", CI, "make lint", "echo ${{ github.ref_name }}"),
        ("ci.yml: permissions", CI, r"permissions:\n  contents: read", "permissions: write-all"),
        ("image: permissions", RELEASE, "packages: write", "actions: write"),
        ("image: built with", RELEASE, "sbom: true", "cache-from: type=gha"),
        ("zizmor.*dependabot-cooldown", BOT, "    cooldown: .*\n", ""),
        # Whether it runs
        ("check-jsonschema", CI, "timeout-minutes: 10", "timeout: 10"),
        ("check-jsonschema", BOT, "ecosystem: uv", "ecosystem: poetry"),
        ("check-jsonschema", BOT, "interval: weekly", "interval: fortnightly"),
        ("actionlint", CI, r"github\.event_name ==", "github.event_name ="),
        ("actionlint.*reftype", CI, r"github\.ref_type", "github.reftype"),
        ("actionlint.*SC2086", CI, '"\\$GITLEAKS"', "$GITLEAKS"),
        ("actionlint.*needs", RELEASE, "needs: ci", "needs: tests"),
        ("actionlint.*no such", RELEASE, r"\./.github/workflows/ci", "./.github/workflows/cd"),
        ("actionlint.*push", RELEASE, r"steps\.build\.", "steps.push."),
        ("check-jsonschema", CI, "        image: redis", "        imgae: redis"),
        ("DATABASE_URL leads to no service", CI, "localhost:5432/", "postgres:5432/"),
        ("DATABASE_URL: password", CI, "PASSWORD: postgres", "PASSWORD: secret"),
        ("no timeout", CI, "    timeout-minutes: 30\n", ""),
    ],
)
def test_faults_on_github_are_noticed(github: Path, tmp_path: Path, fault: Fault) -> None:
    shutil.copytree(github / ".github", tmp_path / ".github")
    check_broken("github", tmp_path, fault)


@pytest.mark.parametrize(
    "fault",
    [
        ("check-jsonschema", PIPELINE, "\ncontainer:", "\nimage:"),
        ("check-jsonschema", PIPELINE, "interruptible: true", "interruptable: true"),
        ("check-jsonschema", PIPELINE, "    - make lint", "    lint: make lint"),
        ("check-jsonschema", PIPELINE, "coverage_format: cobertura", "coverage_format: coverage"),
        ("check-jsonschema", RENOVATE, '"7 days"', "7"),
        ("no stage", PIPELINE, "  stage: release", "  stage: deploy"),
        ("to extend", PIPELINE, "extends: .uv", "extends: .python"),
        ("not only for tags", PIPELINE, r"false\n  rules:\n    - if: .*", "false"),
        ("leads to no service", PIPELINE, "alias: redis", "alias: cache"),
        ("DATABASE_URL: password", PIPELINE, "PASSWORD: postgres", "PASSWORD: secret"),
        ("test: postgres$", PIPELINE, "postgres:18", "postgres"),
        ("shellcheck.*SC2086", PIPELINE, '"\\$GRYPE"', "$GRYPE"),
        ("shellcheck.*SC1078|SC1073", PIPELINE, "docker build --tag", 'docker build --tag "'),
    ],
)
def test_faults_on_gitlab_are_noticed(gitlab: Path, tmp_path: Path, fault: Fault) -> None:
    for name in (PIPELINE, RENOVATE):
        shutil.copy(gitlab / name, tmp_path)
    check_broken("gitlab", tmp_path, fault)


def check_broken(system: str, project: Path, fault: Fault) -> None:
    """Break a file: the checks must say so."""
    message, file, found, instead = fault
    path = project / file
    text, times = re.subn(found, instead, path.read_text(encoding="utf-8"))
    assert times
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match=f"(?s){message}"):
        CHECKS[system](project)


# ------------------------------------------------------------------------------ run


SERVICE_ENV = re.compile(r"^ *(secret=.*\n) *(grep .*) > .*service.env", re.MULTILINE)


def test_image_starts_with_what_production_needs(
    github: Path, gitlab: Path, render: Render
) -> None:
    """CI starts the image with settings made of .env.example, which the service takes."""
    scripts = [
        "".join(found)
        for file in (github / CI, gitlab / PIPELINE)
        for found in SERVICE_ENV.findall(file.read_text(encoding="utf-8"))
    ]
    assert len(scripts) == 2
    assert scripts[0] == scripts[1]
    project = render(preset="full", python_version=PYTHON)
    made = run(project, "bash", "-c", scripts[0])
    settings = dict(line.split("=", 1) for line in made.splitlines())
    assert not any("change-me" in value for value in settings.values())
    settings |= {"ENVIRONMENT": "production", "ALLOWED_HOSTS": "localhost"}
    code = "from app.core.config import load_settings; print(load_settings().environment)"
    command = ("uv", "run", "--locked", "--quiet", "--no-dev", "python", "-c", code)
    assert run(project, *command, **settings) == "production\n"


def act(project: Path, tmp_path: Path, job: str, *command: str | Path) -> str:
    """Run a job of ci.yml on this machine, with actions that do nothing, after `command`."""
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "action.yml").write_text(STUB, encoding="utf-8")
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER, encoding="utf-8")
    docker.chmod(0o755)
    workflows = project.glob(".github/workflows/*.yml")
    actions = {f"{action}@{pin.split()[0]}" for action, pin in pins(*workflows)}
    return run(
        project,
        *command,
        program("act"),
        *("push", "--workflows", CI, "--job", job, "--platform", "ubuntu-24.04=-self-hosted"),
        *("--pull=false", "--no-cache-server", "--env=DATABASE_URL", "--env=REDIS_URL"),
        *("--env=ZIZMOR_OFFLINE=true", "--secret=GITHUB_TOKEN=none"),
        *(f"--local-repository={action}={stub}" for action in sorted(actions)),
        PATH=os.pathsep.join([str(docker.parent), path_with_gitleaks()]),
    )


def path_with_gitleaks() -> str:
    """Return a PATH by which a job finds the program of gitleaks' image."""
    return os.pathsep.join([os.environ["PATH"], str(Path(program("gitleaks")).parent)])


def without_network(project: Path) -> Path:
    """Leave out of a workflow what is not on this machine: its services, and PyPI's advisories."""
    workflow = project / CI
    text = workflow.read_text(encoding="utf-8")
    text, urls = re.subn(r"    env:\n(      \w+_URL: .*\n)+", "", text)
    text, audits = re.subn("pip-audit@[0-9.]+", r"\g<0> --dry-run", text)
    assert (urls, audits) == (1, 1)
    workflow.write_text(text, encoding="utf-8")
    commit(project)
    return project


@pytest.fixture
def copied(github: Path, tmp_path: Path) -> Path:
    return without_network(shutil.copytree(github, tmp_path / "project"))


def test_lint_runs(copied: Path, tmp_path: Path) -> None:
    assert "Success: no issues found" in act(copied, tmp_path, "lint")


def test_tests_run(render: Render, tmp_path: Path) -> None:
    """With servers at `DATABASE_URL` and `REDIS_URL`; the coverage gets to the summary."""
    answers = {"preset": "minimal", "redis": True, "ci": "github", "python_version": PYTHON}
    project = without_network(render(**answers))
    printed = act(project, tmp_path, "test", "uv", "run", "--locked", "app", "dev")
    assert re.search(r"\| \*\*TOTAL\*\* +\|", printed)
    assert "Wrote XML report to coverage.xml" in printed


def test_audit_runs(copied: Path, tmp_path: Path) -> None:
    """All but the questions to PyPI and to GitHub."""
    printed = act(copied, tmp_path, "audit")
    assert re.search(r"would have audited \d\d+ packages", printed)
    assert "no leaks found" in printed


def test_audit_stops_at_a_secret(copied: Path, tmp_path: Path) -> None:
    """Also where it is no longer: in a commit that a later one undid."""
    leak(copied)
    with pytest.raises(pytest.fail.Exception, match="leaks found: 1"):
        act(copied, tmp_path, "audit")


def gitlab_job(project: Path, name: str) -> str:
    """Run the script of a job of the pipeline."""
    pipeline = yaml.safe_load((project / PIPELINE).read_text(encoding="utf-8"))
    job = jobs_of(pipeline)[name]
    return run(project, "bash", "-c", script_of(job), PATH=path_with_gitleaks())


def test_gitlab_lints(gitlab: Path) -> None:
    assert "Success: no issues found" in gitlab_job(gitlab, "lint")


def test_gitlab_finds_secrets(gitlab: Path, tmp_path: Path) -> None:
    gitlab_job(gitlab, "secrets")
    project = shutil.copytree(gitlab, tmp_path / "project")
    leak(project)
    with pytest.raises(pytest.fail.Exception, match="leaks found: 1"):
        gitlab_job(project, "secrets")


def leak(project: Path) -> None:
    """Commit a key, and take it away again."""
    key = "AKIA" + "Q4T7WZ2MNB5XCVPL"  # in two parts, or it would be found here
    file = project / "app" / "aws.py"
    file.write_text(f'KEY = "{key}"\n', encoding="utf-8")
    commit(project, "feat: a key")
    file.unlink()
    commit(project, "fix: no key")


def test_secrets_are_ignored(gitlab: Path) -> None:
    """What holds them in development and in production never gets into a commit."""
    for name in (".env", "secrets/database_url"):
        assert git(gitlab, "check-ignore", name).strip() == name
