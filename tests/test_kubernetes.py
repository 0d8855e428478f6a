"""The manifests, built by kustomize and held against Kubernetes' schemas and each other."""

import re
import shutil
from pathlib import Path

import pytest
from covertable import make

from tests.support.features import read_by
from tests.support.files import replace_in
from tests.support.manifests import CHECKS, DRAIN_SECONDS, build
from tests.support.shell import run
from tests.support.template import Render

pytestmark = pytest.mark.delivery

LAYERS = ("base", "overlays/staging", "overlays/production")
FEATURES = read_by("deploy/kubernetes/**/*.jinja")
# Each block of the manifests depends on one feature, so every pair of them is plenty.
VARIANTS = [
    dict.fromkeys(FEATURES, False),
    dict.fromkeys(FEATURES, True),
    *map(dict, make({name: [False, True] for name in FEATURES}, length=2)),
]
SECRETS = {
    "DATABASE_URL": "postgresql://app:correct-horse-battery@postgres/app",
    "REDIS_URL": "redis://redis",
    "JWT_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
}
"""What the Secret holds."""


def ids(row: dict[str, bool]) -> str:
    """Name a variant by what is on."""
    return "-".join(name for name in row if row[name]) or "none"


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    if shutil.which("kustomize") is None:
        pytest.fail("There is no kustomize: run `nox -s delivery`, which fetches it.")


@pytest.fixture(scope="module")
def full(render: Render) -> Path:
    """A project with everything."""
    return render(preset="full")


def check_layers(project: Path, slug: str = "my-service") -> None:
    """Build every directory, and check all that must hold."""
    for layer in LAYERS:
        manifests = build(project, layer, slug)
        for check in CHECKS:
            check(manifests)


def copy_of(project: Path, directory: Path) -> Path:
    """Copy what the checks read of a project, to be changed."""
    for part in ("app", "deploy"):
        shutil.copytree(project / part, directory / part)
    shutil.copy(project / ".env.example", directory)
    return directory


def switch_on_monitoring(project: Path) -> None:
    """Add the component to each overlay, as its comment says."""
    for layer in LAYERS[1:]:
        with (project / "deploy" / "kubernetes" / layer / "kustomization.yaml").open("a") as file:
            file.write("\ncomponents:\n  - ../../components/monitoring\n")


@pytest.mark.parametrize("answers", VARIANTS, ids=ids)
def test_manifests_are_right(render: Render, answers: dict[str, bool]) -> None:
    check_layers(render(preset="minimal", kubernetes=True, **answers))


@pytest.mark.parametrize("answers", [row for row in VARIANTS if row["metrics"]], ids=ids)
def test_x25_monitoring_can_be_switched_on(
    render: Render, tmp_path: Path, answers: dict[str, bool]
) -> None:
    """X25: for clusters with the Prometheus Operator."""
    project = copy_of(render(preset="minimal", kubernetes=True, **answers), tmp_path)
    switch_on_monitoring(project)
    check_layers(project)
    for layer in LAYERS[1:]:
        assert build(project, layer, "my-service").of("PodMonitor")


def test_long_names_fit(render: Render) -> None:
    check_layers(render(preset="full", project_slug="s" * 40), "s" * 40)


@pytest.mark.parametrize("layer", LAYERS[1:])
def test_namespace_comes_first(full: Path, layer: str) -> None:
    """`kubectl apply -k` keeps the order of the files; `kustomize build` alone would sort them."""
    text = run(full, "kustomize", "build", "--reorder=none", f"deploy/kubernetes/{layer}")
    assert text.startswith("apiVersion: v1\nkind: Namespace\n")


@pytest.mark.parametrize("layer", LAYERS[1:])
def test_service_takes_the_settings(full: Path, layer: str) -> None:
    """It starts with them, and takes as long to end as the grace of its pods allows for."""
    config = build(full, layer, "my-service").of("ConfigMap")["data"]
    code = "from app.core.config import load_settings; print(load_settings().drain_seconds)"
    command = ("uv", "run", "--locked", "--quiet", "--no-dev", "python", "-c", code)
    assert float(run(full, *command, **SECRETS, **config)) == DRAIN_SECONDS


BASE, JOB, POLICY = "base/deployment.yaml", "base/migration.yaml", "base/network-policy.yaml"
INGRESS, SERVICE, PDB = "base/ingress.yaml", "base/service.yaml", "base/pdb.yaml"
PRODUCTION, HPA = "overlays/production/kustomization.yaml", "overlays/production/hpa.yaml"
STAGING, PURGE = "overlays/staging/kustomization.yaml", "base/purge-sessions.yaml"
SCRAPING, TO_REDIS = "base/scraping.yaml", "base/network-policy-redis.yaml"
FROM_PROMETHEUS = "base/network-policy-metrics.yaml"
COMPONENT = "components/monitoring/kustomization.yaml"
MONITOR = "components/monitoring/pod-monitor.yaml"
RULE = "components/monitoring/prometheus-rule.yaml"


@pytest.fixture
def copied(full: Path, tmp_path: Path) -> Path:
    """A project to be broken, in which the overlays have the component."""
    project = copy_of(full, tmp_path)
    switch_on_monitoring(project)
    return project


@pytest.mark.parametrize(
    ("message", "file", "found", "instead"),
    [
        ("'replica' was unexpected", BASE, "replicas: 3", "replica: 3"),
        ("replicas must be 3", BASE, "replicas: 3", "replicas: 1"),
        ("memory over its limit", BASE, "memory: 256Mi", "memory: 1Gi"),
        ("runAsNonRoot is missing", BASE, "runAsNonRoot: true", "fsGroup: 10001"),
        ("not restricted", BASE, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
        ("Probe: no such port", BASE, "/live, port: http", "/live, port: web"),
        ("Probe: must ask /live", BASE, "path: /live", "path: /ready"),
        ("must be over 33", BASE, "GracePeriodSeconds: 40", "GracePeriodSeconds: 30"),
        ("the Secret is", BASE, "name: my-service\n          res", "name: a\n          res"),
        ("the Secret is", JOB, "- secretRef:", "- secretRef:\n                optional: true"),
        ("would hide", JOB, "          envFrom", "          env: [{ name: A }]\n          envFrom"),
        ("the ConfigMap is", BASE, "name: my-service\n            #", "name: a\n            #"),
        ("the ServiceAccount is", BASE, "AccountName: my-service", "AccountName: service"),
        ("zone: selects nothing", BASE, "              app: my-service", "              app: mine"),
        ("prometheus.io/port 9000", SCRAPING, '"8000"', '"9000"'),
        ("loses a replica", BASE, "maxUnavailable: 0", "maxUnavailable: 1"),
        ("selects .*Job/my-service-migrate", JOB, "app: my-service-jobs", "app: my-service"),
        ("no such API", PURGE, "batch/v1", "batch/v1beta1"),
        ("no such API", PDB, "policy/v1", "policy/v1beta1"),
        ("a drain would never end", PDB, "maxUnavailable: 1", "maxUnavailable: 0"),
        ("Budget: selects nothing", PDB, "      app: my-service", "      app: my-servic"),
        ("Service: selects nothing", SERVICE, "selector:\n    app: my", "selector:\n    app: your"),
        ("Service: no port web", SERVICE, "targetPort: http", "targetPort: web"),
        ("/live must not be routed", INGRESS, "Exact", "Prefix"),
        ("the Service has no port", INGRESS, "port: { name: http }", "port: { name: web }"),
        ("must be all, once", POLICY, "      app: my-service", "      app: my-servic"),
        ("NetworkPolicy/my-service: no .*web", POLICY, "port: http", "port: web"),
        ("metrics: no .*web", FROM_PROMETHEUS, "port: http", "port: web"),
        ("metrics: adds to {'Ingress'}", FROM_PROMETHEUS, "[Ingress]", "[Egress]"),
        ("redis: selects .*Job", TO_REDIS, "      app: my-service", "      app: my-service-jobs"),
        ("must be all, once", TO_REDIS, "[Egress]", "[Ingress, Egress]"),
        ("image .*latest", PRODUCTION, "newTag: 0.1.0", "newTag: latest"),
        ("is not ALLOWED_HOSTS", PRODUCTION, "ALLOWED_HOSTS=api", "ALLOWED_HOSTS=www"),
        ("unknown: {'LOGLEVEL'}", STAGING, "literals:", "literals:\n      - LOGLEVEL=DEBUG"),
        ("replicas must be None", PRODUCTION, "op: remove, path", "op: add, value: 5, path"),
        ("Secret: keep it out", STAGING, "patches:", "secretGenerator: [{ name: a }]\n\npatches:"),
        ("Autoscaler: scale", HPA, "    name: my-service\n  min", "    name: service\n  min"),
        ("Autoscaler: 3 min", HPA, "minReplicas: 3", "minReplicas: 1"),
        ("a pod 2 times", COMPONENT, "prometheus.io/scrape: null", "prometheus.io/scrap: null"),
        ("prometheus.io/path", COMPONENT, "prometheus.io/path: null", "prometheus.io/paths: null"),
        ("PodMonitor: there are 0", COMPONENT, "  - pod-monitor.yaml\n", ""),
        ("Rule: there are 0", COMPONENT, "  - prometheus-rule.yaml\n", ""),
        ("Monitor: selects nothing", MONITOR, "      app: my-service", "      app: mine"),
        ("Monitor: selects .*Job", MONITOR, "      app: my-service", "      app: my-service-jobs"),
        ("Monitor: no port web", MONITOR, "port: http", "port: web"),
        ("Monitor: no /metric$", MONITOR, "path: /metrics", "path: /metric"),
        ("the job is None", MONITOR, "jobLabel: app", "jobLabel: job"),
        ("'interva'", MONITOR, "      path:", "      interva: 5s\n      path:"),
        ("the job is my-service", RULE, 'up{job="my-service"} == 0', 'up{job="mine"} == 0'),
    ],
)
def test_checks_notice(copied: Path, message: str, file: str, found: str, instead: str) -> None:
    """Whatever is broken is found, and the message says what it is."""
    replace_in(copied / "deploy" / "kubernetes" / file, found, instead)
    with pytest.raises(AssertionError, match=message):
        check_layers(copied)


def test_x25_monitoring_may_need_the_token(copied: Path) -> None:
    """X25: the lines that are comments are right."""
    file = copied / "deploy" / "kubernetes" / MONITOR
    text = re.sub("# (authorization|  credentials):", r"\1:", file.read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8")
    check_layers(copied)
    monitor = build(copied, LAYERS[-1], "my-service").of("PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"]["credentials"]["key"] == "METRICS_TOKEN"
