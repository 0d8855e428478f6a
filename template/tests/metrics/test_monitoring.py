"""Alerts and dashboards use exported metrics only, and dashboards show all of them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
PROMETHEUS = sorted((DEPLOY / "prometheus").glob("*alerts*.yml"))

RUNBOOKS = DEPLOY.parent / "docs" / "alerts"

SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "gauge": [""]}


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """The series of each metric."""
    return {
        metric.name: {f"{metric.name}{suffix}" for suffix in SUFFIXES.get(metric.type, [])}
        for metric in REGISTRY.collect()
    }


def named(text: str, exported: dict[str, set[str]]) -> set[str]:
    """The series that a text names: everything that begins like one of those."""
    beginnings = "|".join({name.partition("_")[0] for name in exported})
    return set(re.findall(rf"\b(?:{beginnings})_[a-z_]+\b", text))


def dashboards() -> list[dict[str, Any]]:
    return [json.loads(file.read_text("utf-8")) for file in sorted(DASHBOARDS.glob("*.json"))]


def panels() -> list[dict[str, Any]]:
    """The panels that show something; rows do not."""
    every = [panel for dashboard in dashboards() for panel in dashboard["panels"]]
    return [panel for panel in every if panel["type"] != "row"]


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


@pytest.mark.usefixtures("app")
def test_dashboard_names_what_is_exported(exported: dict[str, set[str]]) -> None:
    assert expressions()
    for expression in expressions():
        names = named(expression, exported)
        assert names or "(up{" in expression, expression
        assert names <= set().union(*exported.values()), expression


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("file", PROMETHEUS, ids=lambda file: file.name)
def test_alerts_name_what_is_exported(file: Path, exported: dict[str, set[str]]) -> None:
    names = named(file.read_text(encoding="utf-8"), exported)
    assert names
    assert names <= set().union(*exported.values())


@pytest.mark.usefixtures("app")
def test_nothing_is_exported_that_nobody_looks_at(exported: dict[str, set[str]]) -> None:
    shown = named("\n".join(expressions()), exported)
    ours = {name for name in exported if not name.startswith(("process", "python"))}
    assert [name for name in ours if shown.isdisjoint(exported[name])] == []


def alerts() -> Iterator[tuple[str, str]]:
    """Each alert, with the page and the section that its runbook is."""
    for file in sorted((DEPLOY / "prometheus").glob("*alerts.yml")):
        for rule in file.read_text(encoding="utf-8").split("- alert: ")[1:]:
            name = rule.partition("\n")[0]
            runbook = re.search(r"runbook_url: https://\S+/docs/alerts/(\w+\.md)#(\w+)\n", rule)
            assert runbook, f"{name} needs a runbook_url that leads to a section under docs/alerts"
            assert runbook[2] == name.lower(), f"{name}: its section has its name"
            yield runbook[1], name


def test_x25_every_alert_has_a_runbook() -> None:
    """X25: and no runbook is left over."""
    sections = {
        (page.name, title)
        for page in RUNBOOKS.glob("*.md")
        for title in re.findall(r"^## (\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert sorted(alerts()) == sorted(sections)


def test_x25_dashboards_may_be_imported_anywhere() -> None:
    """X25: data source, job and instances are variables, and the identity is the service's own."""
    for dashboard in dashboards():
        assert len(dashboard["uid"]) <= 40, "Grafana refuses it"
        by_name = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
        assert list(by_name) == ["datasource", "job", "instance"]
        for variable in (by_name["job"], by_name["instance"]):
            assert variable["datasource"]["uid"] == "${datasource}"
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
    selection = 'job=~"$job", instance=~"$instance"'
    for expression in expressions():
        assert expression.count("{") == expression.count(selection) > 0, expression


def test_x25_service_begins_with_single_numbers() -> None:
    """X25: each in the first row, none of them over another."""
    (service,) = (each for each in dashboards() if each["uid"].endswith("-service"))
    first = [panel for panel in service["panels"] if panel["gridPos"]["y"] == 0]
    assert {panel["type"] for panel in first} == {"stat"}
    assert [panel["gridPos"]["x"] for panel in first] == list(range(0, 24, 4))


def test_x25_processes_show_cpu_and_memory() -> None:
    """X25: each in a unit of its own."""
    shown = {panel["title"]: panel for panel in panels()}
    for title, unit, metric in (
        ("CPU of each process", "short", "rate(process_cpu_seconds_total{"),
        ("Memory of each process", "bytes", "process_resident_memory_bytes{"),
    ):
        (target,) = shown[title]["targets"]
        assert target["expr"].startswith(metric)
        assert shown[title]["fieldConfig"]["defaults"]["unit"] == unit
