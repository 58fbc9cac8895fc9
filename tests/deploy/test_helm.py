"""deploy/helm: what the chart makes is what Kubernetes knows, and what innoai starts with."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]

from innoai.config import MIB, ServerSettings, Upstream, load
from tests.support import warm
from tests.support.processes import Child
from tests.support.server import clean_environment
from tests.support.tools import needs, program

CHART = Path(__file__).parents[2] / "deploy/helm"
KUBERNETES = ("1.29", "1.37")
SHARED = {
    "INNOAI_SECRET": "s" * 32,
    "INNOAI_STORE_URL": "postgresql://innoai:pw@db/innoai",
    "INNOAI_LIMITS_URL": "valkey://limits:6379/0",
}
VALUES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "three replicas": {"replicas": 3, "environment": SHARED},
    "a secret of one's own": {"replicas": 2, "existingSecret": "ours"},
    "everything": {
        "replicas": 2,
        "environment": SHARED,
        "image": {"repository": "registry.example/innoai", "tag": "1"},
        "imagePullSecrets": [{"name": "registry"}],
        "persistence": {"size": "5Gi", "storageClass": "fast"},
        "service": {"type": "LoadBalancer", "port": 80, "annotations": {"a": "b"}},
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "host": "ai.example.com",
            "tlsSecret": "certificate",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-buffering": "off"},
        },
        "podAnnotations": {"prometheus.io/scrape": "true"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "gateway", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
    },
}

pytestmark = needs("helm")


def helm(*arguments: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Helm with values on its standard input."""
    return subprocess.run(
        [program("helm"), *arguments, str(CHART), "--values", "-"],
        input=json.dumps(values or {}),
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def rendered(values: dict[str, Any], release: str = "innoai") -> dict[str, dict[str, Any]]:
    """What the chart makes of values, by kind and name."""
    made = helm("template", release, values=values)
    assert made.returncode == 0, made.stderr
    manifests = [manifest for manifest in yaml.safe_load_all(made.stdout) if manifest]
    return {f"{manifest['kind']}/{manifest['metadata']['name']}": manifest for manifest in manifests}


def pod_of(manifests: dict[str, dict[str, Any]], name: str = "innoai") -> dict[str, Any]:
    pod: dict[str, Any] = manifests[f"StatefulSet/{name}"]["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_finds_nothing_wrong_with_it(values: dict[str, Any]) -> None:
    seen = helm("lint", "--strict", values=values)
    assert seen.returncode == 0, seen.stdout


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_kubernetes_knows_every_member_of_it(values: dict[str, Any], version: str) -> None:
    for manifest in rendered(values).values():
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicas": 2}, "set environment.INNOAI_SECRET"),
        ({"replicas": 2, "environment": {"INNOAI_SECRET": "s" * 32}}, "set environment.INNOAI_STORE_URL"),
        ({"environment": {"INNOAI_SECRET": "short"}}, "INNOAI_SECRET"),
        ({"environment": {"A": "b"}, "existingSecret": "ours"}, "not both"),
        ({"ingress": {"enabled": True}}, "ingress.host"),
        ({"replicaCount": 2}, "replicaCount"),
        ({"replicas": 0}, "replicas"),
        ({"settings": {"models": {}}}, "settings"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_that_cannot_work_are_refused_with_what_to_do(values: dict[str, Any], said: str) -> None:
    made = helm("template", "innoai", values=values)
    assert made.returncode != 0
    assert said in made.stderr


def test_everything_that_refers_to_something_else_finds_it() -> None:
    manifests = rendered(VALUES["everything"], "gate")
    names = {kind_and_name.partition("/")[2] for kind_and_name in manifests}
    assert names == {"gate-innoai", "gate-innoai-replicas", "gate-innoai-nobody"}
    pod, replicas = pod_of(manifests, "gate-innoai"), manifests["StatefulSet/gate-innoai"]["spec"]
    (container,) = pod["containers"]
    labels = replicas["template"]["metadata"]["labels"].items()
    for kind_and_name in ("Service/gate-innoai", "Service/gate-innoai-replicas"):
        service = manifests[kind_and_name]["spec"]
        assert service["selector"].items() <= labels
        assert {port["targetPort"] for port in service["ports"]} == {container["ports"][0]["name"]}
    assert manifests["PodDisruptionBudget/gate-innoai"]["spec"]["selector"]["matchLabels"].items() <= labels
    assert f"Service/{replicas['serviceName']}" in manifests
    assert f"Secret/{container['envFrom'][0]['secretRef']['name']}" in manifests
    volumes = {volume["name"] for volume in pod["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in replicas["volumeClaimTemplates"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    for path in manifests["Ingress/gate-innoai"]["spec"]["rules"][0]["http"]["paths"]:
        assert f"Service/{path['backend']['service']['name']}" in manifests


def test_the_ingress_keeps_metrics_inside_and_lets_large_and_slow_requests_through() -> None:
    manifests = rendered({"ingress": {"enabled": True, "host": "ai.example.com", "annotations": {"a": "b"}}})
    ingress = manifests["Ingress/innoai"]
    by_path = {
        path["path"]: path["backend"]["service"]["name"]
        for path in ingress["spec"]["rules"][0]["http"]["paths"]
    }
    assert by_path == {"/metrics": "innoai-nobody", "/": "innoai"}
    assert "selector" not in manifests["Service/innoai-nobody"]["spec"]
    annotations = ingress["metadata"]["annotations"]
    assert annotations.pop("a") == "b"
    assert annotations == {
        "nginx.ingress.kubernetes.io/proxy-body-size": f"{ServerSettings().max_body_bytes // MIB}m",
        "nginx.ingress.kubernetes.io/proxy-read-timeout": f"{Upstream('echo:').head_timeout:.0f}",
        "nginx.ingress.kubernetes.io/proxy-buffering": "off",
    }


def test_a_secret_of_ones_own_is_read_and_none_is_made() -> None:
    manifests = rendered(VALUES["a secret of one's own"])
    assert pod_of(manifests)["containers"][0]["envFrom"] == [{"secretRef": {"name": "ours"}}]
    assert not [name for name in manifests if name.startswith("Secret/")]


def test_other_settings_restart_the_replicas() -> None:
    def checksum(values: dict[str, Any]) -> str:
        template = rendered(values)["StatefulSet/innoai"]["spec"]["template"]
        told: str = template["metadata"]["annotations"]["checksum/settings"]
        return told

    told = {checksum(values) for values in ({}, {"settings": "# none"}, {"environment": {"A": "b"}})}
    assert len(told) == 3
    assert checksum({}) == checksum({"podAnnotations": {"a": "b"}})


def test_the_container_may_do_no_more_than_it_must() -> None:
    """And nothing that Kubernetes adds to its environment is taken for a setting."""
    pod = pod_of(rendered({}))
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    # As deploy/container/Dockerfile has it.
    dockerfile = (CHART.parent / "container/Dockerfile").read_text()
    assert f"--uid {pod['securityContext']['runAsUser']} " in dockerfile
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert re.findall(r"^(?:WORKDIR|VOLUME) (\S+)$", dockerfile, re.MULTILINE)[-2:] == [mounts["data"]] * 2


def test_the_values_that_the_documentation_shows_are_taken(tmp_path: Path) -> None:
    page = (CHART.parents[1] / "docs/deploying.md").read_text()
    (shown,) = re.findall(r"```yaml\n(replicas: .*?)```", page, re.DOTALL)
    manifests = rendered(yaml.safe_load(shown))
    settings = tmp_path / "innoai.toml"
    settings.write_text(manifests["ConfigMap/innoai"]["data"]["innoai.toml"])
    assert load(str(settings), {"OPENAI_API_KEY": "sk-model"}).server.trusted_proxies == ("10.0.0.0/8",)


def test_innoai_starts_with_it_is_asked_by_the_probes_and_stops_in_time(tmp_path: Path) -> None:
    """What the pod's one container is told, without a cluster around it."""
    manifests = rendered({"environment": {"INNOAI_SECRET": "s" * 32, "MODEL_KEY": "k"}})
    pod = pod_of(manifests)
    (container,) = pod["containers"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    environment |= manifests["Secret/innoai"]["stringData"]
    settings = tmp_path / Path(environment["INNOAI_CONFIG"]).name
    settings.write_text(manifests["ConfigMap/innoai"]["data"][settings.name])
    assert environment["INNOAI_SERVER_BIND"].endswith(f":{container['ports'][0]['containerPort']}")
    environment |= {"INNOAI_CONFIG": str(settings), "INNOAI_SERVER_BIND": "127.0.0.1:0"}
    child = Child(container["args"], tmp_path, clean_environment(**environment), warm.start)
    child.wait_until_listening()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == container["ports"][0]["name"]
        assert httpx.get(f"{child.address}{asked['path']}").status_code == 200
    assert child.stop() == 0
    assert not (tmp_path / "innoai.secret").exists()
