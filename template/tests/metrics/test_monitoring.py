"""Alerts and dashboards use exported metrics only, and dashboards show all of them."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
PROMETHEUS = sorted((DEPLOY / "prometheus").glob("*alerts*.yml"))

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


def expressions() -> list[str]:
    dashboards = [json.loads(file.read_text("utf-8")) for file in sorted(DASHBOARDS.glob("*.json"))]
    panels = [panel for dashboard in dashboards for panel in dashboard["panels"]]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


@pytest.mark.usefixtures("app")
def test_dashboard_names_what_is_exported(exported: dict[str, set[str]]) -> None:
    assert expressions()
    for expression in expressions():
        names = named(expression, exported)
        assert names, expression
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
