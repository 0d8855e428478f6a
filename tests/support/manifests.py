"""What must hold among the objects that Kubernetes is given, beyond what their schemas say."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests.support.shell import run

Object = dict[str, Any]

VERSIONS = ("1.30.0", kubernetes_validate.latest_version())
"""The first Kubernetes that has all we use (`preStop.sleep`, by default), and the newest known."""

DRAIN_SECONDS, FINISH_SECONDS, CLOSE_SECONDS = 5, 20, 3
"""What the service takes after SIGTERM: serving on, requests under way, closing."""

SERVER_SETTINGS = {"HOST", "PORT", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "PGSSLROOTCERT"}
OPERATOR = "monitoring.coreos.com/v1"
"""The API of the Prometheus Operator."""

UNITS = {"": 1, "m": 0.001, "Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True)
class Manifests:
    """What kustomize makes of one directory of a project."""

    project: Path
    layer: str
    slug: str
    objects: list[Object]

    def of(self, kind: str) -> Object:
        """Return the only object of a kind."""
        found = [thing for thing in self.objects if thing["kind"] == kind]
        assert len(found) == 1, f"{kind}: there are {len(found)}, not one"
        return found[0]

    def pods(self) -> dict[str, Object]:
        """Return the templates of all pods, by the name of what makes them."""
        kinds = {"Deployment", "Job", "CronJob"}
        return {name_of(each): pod_of(each) for each in self.objects if each["kind"] in kinds}

    def containers(self) -> Iterator[tuple[str, Object]]:
        """Yield every container, with the name of what makes its pod."""
        for name, pod in self.pods().items():
            for container in [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]:
                yield name, container

    def selected(self, selector: Object) -> set[str]:
        """Return whose pods a selector matches."""
        assert selector.keys() == {"matchLabels"}, f"{selector}: write it with matchLabels alone"
        labels = {name: pod["metadata"]["labels"].items() for name, pod in self.pods().items()}
        return {name for name in labels if selector["matchLabels"].items() <= labels[name]}


def build(project: Path, layer: str, slug: str) -> Manifests:
    """Let kustomize build a directory under `deploy/kubernetes`."""
    text = run(project, "kustomize", "build", f"deploy/kubernetes/{layer}")
    return Manifests(project, layer, slug, list(yaml.safe_load_all(text)))


def check_schemas(manifests: Manifests) -> None:
    """No key is unknown and no API has been removed, in the oldest and the newest Kubernetes."""
    for thing in manifests.objects:
        if thing["apiVersion"] == OPERATOR:
            continue  # not of Kubernetes itself
        for version in VERSIONS:
            fault = schema_fault(json.dumps(thing), version)
            assert not fault, f"{name_of(thing)}: {fault} (Kubernetes {version})"


@cache
def schema_fault(text: str, version: str) -> str:
    """Say what is wrong with an object in that version of Kubernetes."""
    try:
        kubernetes_validate.validate(json.loads(text), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return f"no such API: {error.message}"
    return ""


def check_selectors(manifests: Manifests) -> None:
    """What is meant for the service's pods selects them and no job's; policies bind each pod.

    One policy binds a pod in both directions. Others, of one direction each, add to the service's.
    """
    deployment, service = manifests.of("Deployment"), manifests.of("Service")
    spreads = pod_of(deployment)["spec"]["topologySpreadConstraints"]
    selectors = [
        *((spread["topologyKey"], spread["labelSelector"]) for spread in spreads),
        ("Deployment", deployment["spec"]["selector"]),
        ("Service", {"matchLabels": service["spec"]["selector"]}),
        ("PodDisruptionBudget", manifests.of("PodDisruptionBudget")["spec"]["selector"]),
    ]
    bound: list[str] = []
    for policy in manifests.objects:
        if policy["kind"] == "NetworkPolicy":
            spec = policy["spec"]
            if len(spec["policyTypes"]) == 2:
                bound += manifests.selected(spec["podSelector"])
            else:
                selectors.append((name_of(policy), spec["podSelector"]))
                rules = {each for each in ("Ingress", "Egress") if each.lower() in spec}
                assert rules == {*spec["policyTypes"]}, f"{name_of(policy)}: adds to {rules}"
            for rule in spec.get("ingress", ()):
                selectors.append((name_of(policy), spec["podSelector"]))
                assert rule["from"], f"{name_of(policy)}: say who may come"
                for port in rule["ports"]:
                    assert port["port"] in ports_of(deployment), f"{name_of(policy)}: no {port}"
    assert sorted(bound) == sorted(manifests.pods()), f"NetworkPolicy: {bound} must be all, once"
    for owner, selector in selectors:
        chosen = manifests.selected(selector)
        assert chosen == {name_of(deployment)}, f"{owner}: selects {chosen or 'nothing'}"
    for port in service["spec"]["ports"]:
        assert port["targetPort"] in ports_of(deployment), f"Service: no port {port['targetPort']}"


def check_ingress(manifests: Manifests) -> None:
    """Routed is what clients call and nothing else, by a name that the service answers to."""
    ingress, service = manifests.of("Ingress")["spec"], manifests.of("Service")
    ports = {port["name"] for port in service["spec"]["ports"]}
    (rule,) = ingress["rules"]
    for path in rule["http"]["paths"]:
        backend = path["backend"]["service"]
        assert backend["name"] == service["metadata"]["name"], f"Ingress: no Service {backend}"
        assert backend["port"]["name"] in ports, f"Ingress: the Service has no port {backend}"
    for url in ("/", "/health", "/api/v1/things", "/api/v2/things"):
        assert is_routed(rule, url), f"Ingress: {url} is not routed"
    for url in ("/live", "/ready", "/metrics", "/metrics/", "/docs", "/health/x", "/apis"):
        assert not is_routed(rule, url), f"Ingress: {url} must not be routed"
    assert [rule["host"]] == ingress["tls"][0]["hosts"], "Ingress: TLS is for another host"
    if manifests.layer != "base":
        hosts = manifests.of("ConfigMap")["data"].get("ALLOWED_HOSTS")
        assert rule["host"] == hosts, f"Ingress: {rule['host']} is not ALLOWED_HOSTS, {hosts}"


def check_settings(manifests: Manifests) -> None:
    """All pods read the one ConfigMap, which rolls them, and the one Secret, nothing else."""
    config, slug = manifests.of("ConfigMap"), manifests.slug
    name = config["metadata"]["name"]
    assert re.fullmatch(rf"{slug}-[a-z0-9]{{10}}", name), f"ConfigMap {name}: has no hash"
    example = (manifests.project / ".env.example").read_text(encoding="utf-8")
    known = {*re.findall("^([A-Z0-9_]+)=", example, re.MULTILINE), *SERVER_SETTINGS}
    assert config["data"].keys() <= known, f"ConfigMap: unknown: {config['data'].keys() - known}"
    assert not any(each["kind"] == "Secret" for each in manifests.objects), "Secret: keep it out"
    for owner, container in manifests.containers():
        config_map, secret = container["envFrom"]
        assert config_map == {"configMapRef": {"name": name}}, f"{owner}: the ConfigMap is {name}"
        # Not optional: no pod starts before the Secret is there.
        assert secret == {"secretRef": {"name": slug}}, f"{owner}: the Secret is {slug}"
        assert "env" not in container, f"{owner}: {container['env']} would hide a setting"


def check_pods(manifests: Manifests) -> None:
    """Every pod meets the standard `restricted`, and more. Its image has a tag that stays."""
    account = manifests.of("ServiceAccount")["metadata"]["name"]
    for owner, pod in manifests.pods().items():
        spec, context = pod["spec"], pod["spec"].get("securityContext", {})
        assert context.get("runAsNonRoot") is True, f"{owner}: runAsNonRoot is missing"
        assert context["runAsUser"] == context["runAsGroup"] == 10001, f"{owner}: runAsUser, Group"
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, f"{owner}: seccompProfile"
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}, f"{owner}: uses the host"
        assert spec.get("automountServiceAccountToken") is False, f"{owner}: mounts a credential"
        assert spec["serviceAccountName"] == account, f"{owner}: the ServiceAccount is {account}"
        for volume in spec.get("volumes", ()):
            assert volume["emptyDir"]["sizeLimit"], f"{owner}: only an emptyDir, with a sizeLimit"
    image = manifests.slug if manifests.layer == "base" else r"registry\S+:(?!latest$)[\w.-]+"
    for owner, container in manifests.containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, f"{owner}: securityContext is not restricted"
        assert re.fullmatch(image, container["image"]), f"{owner}: image {container['image']}"
        requests, limits = container["resources"]["requests"], container["resources"]["limits"]
        for kind in ("cpu", "memory"):
            assert amount(requests[kind]) <= amount(limits[kind]), f"{owner}: {kind} over its limit"


def check_life(manifests: Manifests) -> None:
    """Probes ask what exists, and liveness no dependency; a pod has time to finish."""
    deployment = manifests.of("Deployment")
    spec = pod_of(deployment)["spec"]
    (container,) = spec["containers"]
    routes = (manifests.project / "app" / "api" / "system.py").read_text(encoding="utf-8")
    for name, path in {"startup": "/live", "liveness": "/live", "readiness": "/ready"}.items():
        probe = container[f"{name}Probe"]
        assert probe["httpGet"]["path"] == path, f"{name}Probe: must ask {path}"
        is_routed = f'app.add_api_route("{path}",' in routes
        assert is_routed, f"{name}Probe: the service has no {path}"
        assert probe["httpGet"]["port"] in ports_of(deployment), f"{name}Probe: no such port"
        assert 1 <= probe["timeoutSeconds"] <= probe["periodSeconds"], f"{name}Probe: timeout"
    drain = float(manifests.of("ConfigMap")["data"].get("DRAIN_SECONDS", DRAIN_SECONDS))
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed, grace = before + drain + FINISH_SECONDS + CLOSE_SECONDS, "terminationGracePeriodSeconds"
    assert spec[grace] > needed, f"Deployment: {grace} must be over {needed}"


def check_monitoring(manifests: Manifests) -> None:
    """Prometheus scrapes each pod once: by annotations, or by the operator as the rules' job."""
    deployment = manifests.of("Deployment")
    annotations = pod_of(deployment)["metadata"].get("annotations", {})
    operated = [each for each in manifests.objects if each["apiVersion"] == OPERATOR]
    ways = bool(operated) + ("prometheus.io/scrape" in annotations)
    expected = (manifests.project / "app" / "metrics").exists()
    assert ways == expected, f"Prometheus scrapes a pod {ways} times"
    port = annotations.get("prometheus.io/port", "8000")
    assert int(port) in ports_of(deployment), f"Deployment: prometheus.io/port {port}"
    if not operated:
        return
    assert not {key for key in annotations if key.startswith("prometheus.io")}, f"{annotations}"
    monitor = manifests.of("PodMonitor")["spec"]
    assert monitor.keys() == {"jobLabel", "selector", "podMetricsEndpoints"}, f"{monitor.keys()}"
    chosen = manifests.selected(monitor["selector"])
    assert chosen == {name_of(deployment)}, f"PodMonitor: selects {chosen or 'nothing'}"
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert endpoint.keys() <= {"port", "path", "authorization"}, f"PodMonitor: {endpoint.keys()}"
    names = {port["name"] for port in pod_of(deployment)["spec"]["containers"][0]["ports"]}
    assert endpoint["port"] in names, f"PodMonitor: no port {endpoint['port']}"
    assert endpoint["path"] == "/metrics", f"PodMonitor: no {endpoint['path']}"
    token = {"credentials": {"name": manifests.slug, "key": "METRICS_TOKEN"}}
    assert endpoint.get("authorization", token) == token, "PodMonitor: the token is in the Secret"
    job = pod_of(deployment)["metadata"]["labels"].get(monitor["jobLabel"])
    rules = json.dumps(manifests.of("PrometheusRule")["spec"]["groups"])
    assert {*re.findall(r'job=\\"([^"]*)\\"', rules)} == {job}, f"PodMonitor: the job is {job}"


def check_scaling(manifests: Manifests) -> None:
    """One place counts the replicas, a rollout loses none, and each node can be drained."""
    spec, budget = manifests.of("Deployment")["spec"], manifests.of("PodDisruptionBudget")["spec"]
    expected = {"base": 3, "overlays/staging": 2, "overlays/production": None}[manifests.layer]
    assert spec.get("replicas") == expected, f"Deployment: replicas must be {expected}"
    if expected is None:
        scaler = manifests.of("HorizontalPodAutoscaler")["spec"]
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": manifests.slug}
        assert scaler["scaleTargetRef"] == target, f"HorizontalPodAutoscaler: scale {target}"
        assert scaler["minReplicas"] == 3 < scaler["maxReplicas"], "HorizontalPodAutoscaler: 3 min"
    assert budget.get("maxUnavailable", 0) >= 1, "PodDisruptionBudget: a drain would never end"
    update = spec["strategy"]["rollingUpdate"]
    assert update == {"maxUnavailable": 0, "maxSurge": 1}, "Deployment: a rollout loses a replica"


def check_rest(manifests: Manifests) -> None:
    """Names fit, jobs come to an end, and all is in the namespace that restricts its pods."""
    for thing in manifests.objects:
        longest = 52 if thing["kind"] == "CronJob" else 63  # a CronJob adds a number to its name
        assert len(thing["metadata"]["name"]) <= longest, f"{name_of(thing)}: name too long"
        if "Job" in thing["kind"]:
            spec = thing["spec"].get("jobTemplate", thing)["spec"]
            assert spec.keys() >= {"backoffLimit", "activeDeadlineSeconds"}, name_of(thing)
    if manifests.layer != "base":
        namespace = manifests.of("Namespace")["metadata"]
        assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        inside = {thing["metadata"].get("namespace") for thing in manifests.objects}
        assert inside == {None, namespace["name"]}, f"Namespace: objects are in {inside}"


CHECKS = (
    check_schemas,
    check_selectors,
    check_ingress,
    check_settings,
    check_pods,
    check_life,
    check_monitoring,
    check_scaling,
    check_rest,
)


def name_of(thing: Object) -> str:
    """Name an object for people."""
    return f"{thing['kind']}/{thing['metadata']['name']}"


def pod_of(workload: Object) -> Object:
    """Return the template of a workload's pods."""
    template: Object = workload["spec"].get("jobTemplate", workload)["spec"]["template"]
    return template


def ports_of(workload: Object) -> set[str | int]:
    """Return the ports of a workload's containers, by name and by number."""
    containers = pod_of(workload)["spec"]["containers"]
    ports = [port for container in containers for port in container["ports"]]
    return {port[key] for port in ports for key in ("name", "containerPort")}


def is_routed(rule: Object, url: str) -> bool:
    """Return whether a rule of an Ingress sends this path to the service."""
    return any(
        url == path["path"]
        or (path["pathType"] != "Exact" and f"{url}/".startswith(f"{path['path'].rstrip('/')}/"))
        for path in rule["http"]["paths"]
    )


def amount(quantity: str) -> float:
    """Read a quantity, such as 250m or 256Mi."""
    match = re.fullmatch(r"(\d+)(\D*)", quantity)
    assert match, f"{quantity}: no quantity"
    return int(match[1]) * UNITS[match[2]]
