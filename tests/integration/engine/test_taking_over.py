"""Objects that others have made become ours without losing a field: kubectl's, Helm's, and those of merge patches."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict
from integration.engine.driver import Engine, Object, named, virtual_service
from integration.support.bed import Cluster

pytestmark = pytest.mark.usefixtures("crds")
LABELS = {"team": "shop"}
Make = Callable[[Cluster, str, Path], None]


def theirs(namespace: str) -> Object:
    """More than we shall ask for."""
    found = virtual_service("reviews", namespace, "old", labels=LABELS, annotations={"example.com/by": "hand"})
    found["spec"]["gateways"] = ["mesh"]
    return found


def by_kubectl(cluster: Cluster, namespace: str, _folder: Path) -> None:
    """Client-side, with its copy in an annotation."""
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(theirs(namespace)))


def by_helm(cluster: Cluster, namespace: str, folder: Path) -> None:
    (folder / "chart" / "templates").mkdir(parents=True)
    (folder / "chart" / "Chart.yaml").write_text("{apiVersion: v2, name: theirs, version: 1.0.0}", encoding="utf-8")
    (folder / "chart" / "templates" / "all.yaml").write_text(yaml.safe_dump(theirs(namespace)), encoding="utf-8")
    argv = [str(cluster.bin / "helm"), "--kubeconfig", cluster.kubeconfig, "-n", namespace, "install", "theirs"]
    homes = {f"HELM_{name}_HOME": str(folder / name) for name in ("CACHE", "CONFIG", "DATA")}
    result = subprocess.run(
        [*argv, str(folder / "chart")], env={**os.environ, **homes}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def by_patches(cluster: Cluster, namespace: str, _folder: Path) -> None:
    """As kubernetes.core's `k8s` does: created once, merge-patched from then on."""
    first = theirs(namespace)
    first["metadata"].pop("annotations")
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(first))
    cluster.patch("virtualservice", "reviews", namespace, {"metadata": theirs(namespace)["metadata"]})


@pytest.mark.parametrize("make", [by_kubectl, by_helm, by_patches])
def test_taking_over(make: Make, cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    make(cluster, namespace, tmp_path)
    before = cluster.get("virtualservice", "reviews", namespace)
    wanted = virtual_service("reviews", namespace, "new")
    with pytest.raises(Conflict) as raised:
        Engine(cluster.kubeconfig).run([wanted])
    named = raised.value.hint.partition("take_ownership_from: [")[2].partition("]")[0]
    assert named in {entry["manager"] for entry in before["metadata"]["managedFields"]}
    assert ".spec.hosts" in raised.value.reason
    taking = Engine(cluster.kubeconfig, take_ownership_from=(named,))
    assert [row["fields"] for row in taking.run([wanted]).plan()] == [["spec.hosts[0]"]]
    after = cluster.get("virtualservice", "reviews", namespace)
    assert after["spec"] == {**before["spec"], "hosts": ["new"]}
    for part in ("labels", "annotations"):
        assert after["metadata"].get(part) == before["metadata"].get(part)
    assert not Engine(cluster.kubeconfig).run([wanted]).changed


def test_equal_values_are_shared_without_a_word(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """What is as we want it needs no taking over, and stays when we let it go."""
    by_kubectl(cluster, namespace, tmp_path)
    engine = Engine(cluster.kubeconfig)
    engine.run([theirs(namespace)])
    engine.run([virtual_service("reviews", namespace, "old")])
    after = cluster.get("virtualservice", "reviews", namespace)
    assert (after["spec"], after["metadata"]["labels"]) == (theirs(namespace)["spec"], LABELS)


def test_all_conflicts_are_told_at_once_with_both_values(cluster: Cluster, namespace: str) -> None:
    """Lists and labels too, of all objects and all their managers; who takes over what is named there is done."""
    names, engine = ("one", "two", "three"), Engine(cluster.kubeconfig)
    engine.run([virtual_service(name, namespace, "ours", labels={"example.com/team": "ours"}) for name in names])
    cluster.patch("virtualservice", "one", namespace, {"spec": {"hosts": ["theirs"]}})
    cluster.kubectl("label", "--overwrite", "-n", namespace, "virtualservice/two", "example.com/team=theirs")
    wanted = [virtual_service(name, namespace, "ours", labels={"example.com/team": "ours"}) for name in names]
    with pytest.raises(Conflict) as raised:
        engine.run(wanted)
    error = raised.value
    assert error.what == "2 objects have fields that somebody else manages"
    assert """.spec.hosts is owned by 'kubectl-patch' (live ["theirs"], desired ["ours"])""" in error.reason
    assert (
        ".metadata.labels.example.com/team is owned by 'kubectl-label' (live 'theirs', desired 'ours')" in error.reason
    )
    assert all(f"VirtualService {namespace}/{name}" in error.subject for name in ("one", "two"))
    owners = error.hint.partition("take_ownership_from: [")[2].partition("]")[0].split(", ")
    taking = Engine(cluster.kubeconfig, take_ownership_from=tuple(owners))
    assert sorted(row["name"] for row in taking.run(wanted).plan()) == ["one", "two"]


def test_values_of_secrets_are_not_told(cluster: Cluster, namespace: str) -> None:
    def secret(word: str) -> Object:
        return named("Secret", "password", namespace, data={"word": base64.b64encode(word.encode()).decode()})

    engine = Engine(cluster.kubeconfig)
    engine.run([secret("our-word")])
    cluster.patch("secret", "password", namespace, {"data": secret("their-word")["data"]})
    with pytest.raises(Conflict, match=r"\.data\.word is owned by 'kubectl-patch' \(live 'sha256:.*, desired 'sha256:"):
        engine.run([secret("our-word")])
