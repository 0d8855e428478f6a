"""Alerts and dashboards, held against a real Prometheus (`nox -s observability`)."""

import json
import shutil
import subprocess
import time
from operator import itemgetter
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode

import pytest
import yaml

from tests.support.files import replace_in
from tests.support.services import ask, free_port, post, running, wait_for
from tests.support.shell import run
from tests.support.template import Render

pytestmark = pytest.mark.observability

API = "/api/v1"
"""The prefix of the service, and of Prometheus as well."""


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    for program in ("promtool", "prometheus"):
        if shutil.which(program) is None:
            pytest.fail(f"There is no {program}: run `nox -s observability`, which fetches it.")


@pytest.fixture(scope="module")
def project(render: Render) -> Path:
    """A project with everything."""
    return render(preset="full")


@pytest.mark.parametrize("redis", [True, False])
@pytest.mark.parametrize("auth", [True, False])
def test_alerts_fire_when_they_should(render: Render, auth: bool, redis: bool) -> None:
    """In every variant that has its own: promtool runs the rules' tests that the project brings."""
    project = render(preset="standard", auth=auth, redis=redis)
    directory = project / "deploy" / "prometheus"
    checked = run(directory, "promtool", "check", "config", "prometheus.yml")
    tests = rule_tests_in(directory)
    assert len(tests) == 1 + auth + redis
    assert f"{len(tests)} rule files found" in checked
    run(directory, "promtool", "test", "rules", *tests)


def rule_tests_in(directory: Path) -> list[str]:
    """Return the tests of the rules, which the project has one file of for each file of rules."""
    tests = sorted(path.name for path in directory.glob("*alerts_test.yml"))
    rules = sorted(path.name for path in directory.glob("*alerts.yml"))
    assert tests == [rule.replace(".yml", "_test.yml") for rule in rules]
    return tests


def test_x25_operator_is_given_the_same_rules(project: Path, tmp_path: Path) -> None:
    """X25: the rules of the component pass the tests of `deploy/prometheus`."""
    component = project / "deploy" / "kubernetes" / "components" / "monitoring"
    rule = yaml.safe_load((component / "prometheus-rule.yaml").read_text(encoding="utf-8"))
    directory = shutil.copytree(project / "deploy" / "prometheus", tmp_path / "prometheus")
    groups = []
    for file in directory.glob("*alerts.yml"):
        groups += yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        file.write_text("groups: []\n", encoding="utf-8")  # the tests read all files together
    (directory / "alerts.yml").write_text(yaml.safe_dump(rule["spec"]), encoding="utf-8")
    by_name = itemgetter("name")
    assert sorted(groups, key=by_name) == sorted(rule["spec"]["groups"], key=by_name)
    run(directory, "promtool", "check", "rules", "alerts.yml")
    run(directory, "promtool", "test", "rules", *rule_tests_in(directory))


@pytest.mark.parametrize(
    ("file", "found", "instead"),
    [
        ("alerts.yml", "== 0 or", "== 2 or"),
        ("alerts.yml", "sum by (job) (up{", "min by (job) (up{"),
        ("alerts.yml", "answer at {{ $labels.instance }}", "answer"),
        ("alerts.yml", "[1h])) >= 10", "[1h])) >= 1"),
        ("alerts.yml", "[6h])) >= 10", "[6h])) >= 1"),
        ("alerts.yml", "[3d])) >= 10", "[3d])) >= 1"),
        ("alerts.yml", 'le="0.5"}[5m])) >= 10', 'le="0.5"}[5m])) >= 1'),
        ("alerts.yml", " or absent(", " or vector(0) * absent("),
        ("alerts.yml", "14.4 *", "1440 *"),
        ("alerts.yml", 'rate3d{job="my-service"} > 0.001', 'rate3d{job="my-service"} > 0.01'),
        ("alerts.yml", " > 0.05", " > 0.5"),
        ("alerts.yml", ") > 0.9", ") > 0.99"),
        ("redis_alerts.yml", 'target="redis"}) > 0', 'target="redis"}) > 1'),
        ("redis_alerts.yml", ") < 0.2", ") < 0"),
        ("accounts_alerts.yml", "login_failed|login_throttled", "login_failed"),
        ("accounts_alerts.yml", 'reused"}[15m]) > 0', 'reused"}[15m]) > 5'),
    ],
)
def test_their_tests_notice(
    project: Path, tmp_path: Path, file: str, found: str, instead: str
) -> None:
    """An alert that is broken makes its test fail."""
    directory = shutil.copytree(project / "deploy" / "prometheus", tmp_path / "prometheus")
    replace_in(directory / file, found, instead)
    command = ["promtool", "test", "rules", file.replace(".yml", "_test.yml")]
    assert subprocess.run(command, cwd=directory, check=False).returncode != 0


def test_every_panel_shows_something(project: Path, tmp_path: Path) -> None:
    """The service runs, is used, and is scraped: no expression of a dashboard stays empty."""
    run(project, "uv", "sync", "--locked", "--quiet")
    port, prometheus_port = free_port(), free_port()
    config = tmp_path / "prometheus.yml"
    given = (project / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    assert "app:8000" in given
    config.write_text(
        given.replace("app:8000", f"127.0.0.1:{port}").replace("15s", "1s"), encoding="utf-8"
    )
    for rules in (project / "deploy" / "prometheus").glob("*alerts.yml"):
        shutil.copy(rules, tmp_path)
    serve = f"app migrate && exec app serve --port {port}"
    prometheus = f"http://127.0.0.1:{prometheus_port}"
    with (
        running(project, "uv", "run", "app", "dev", "sh", "-c", serve),
        running(
            tmp_path,
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{prometheus_port}",
        ),
    ):
        api = f"http://127.0.0.1:{port}"
        wait_for(lambda: ask(f"{api}/ready"))
        wait_for(lambda: ask(f"{prometheus}/-/ready"))
        metrics = ask(f"{api}/metrics")
        subprocess.run(["promtool", "check", "metrics"], input=metrics, text=True, check=True)
        dashboards = project.glob("deploy/grafana/dashboards/*.json")
        texts = [dashboard.read_text(encoding="utf-8") for dashboard in dashboards]
        panels = [panel for text in texts for panel in json.loads(text)["panels"]]
        instance = f"127.0.0.1:{port}"
        missing = {
            chosen(target["expr"], job="my-service", instance=instance)
            for panel in panels
            for target in panel.get("targets", [])
        }
        assert len(missing) > 15
        deadline = time.monotonic() + 60
        while missing and time.monotonic() < deadline:
            use(api)
            missing = {expression for expression in missing if not shows(prometheus, expression)}
            time.sleep(1)
        assert not missing
        variables = [each for text in texts for each in json.loads(text)["templating"]["list"]]
        for variable in variables:
            if variable["type"] == "query":
                expected = instance if variable["name"] == "instance" else "my-service"
                assert offered(prometheus, variable["query"]) == [expected]
        health = json.loads(ask(f"{prometheus}{API}/rules"))["data"]["groups"]
        assert {group["name"] for group in health} >= {"availability", "cache", "accounts"}
        assert {rule["health"] for group in health for rule in group["rules"]} == {"ok"}


def chosen(text: str, **variables: str) -> str:
    """Put values in the place of a dashboard's variables, as Grafana does."""
    for name, value in {"__rate_interval": "20s", **variables}.items():
        text = text.replace(f"${name}", value)
    assert "$" not in text
    return text


def offered(prometheus: str, query: str) -> list[str]:
    """Return what Grafana offers for a variable: `label_values(series, label)`."""
    series, label = query.removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
    match = urlencode({"match[]": chosen(series, job="my-service")})
    values: list[str] = json.loads(ask(f"{prometheus}{API}/label/{label}/values?{match}"))["data"]
    return values


def use(api: str) -> None:
    """Be a user who makes a mistake now and then."""
    name = f"u{time.monotonic_ns()}"
    account = {"email": f"{name}@example.com", "username": name, "password": "a good pass phrase"}
    post(f"{api}{API}/auth/register", account)
    form = urlencode({"username": name, "password": "a good pass phrase"})
    token = json.loads(post(f"{api}{API}/auth/login", form))["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    post(f"{api}{API}/items/", {"title": "Pocket atlas"}, bearer)
    for _ in range(3):
        ask(f"{api}{API}/items/", bearer)
    with pytest.raises(URLError):
        ask(f"{api}{API}/items/1")


def shows(prometheus: str, expression: str) -> bool:
    """Return whether an expression has a value."""
    answer = json.loads(ask(f"{prometheus}{API}/query?{urlencode({'query': expression})}"))
    return any(result["value"][1] != "NaN" for result in answer["data"]["result"])
