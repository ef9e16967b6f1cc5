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
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired, label_paths
from faults import FAULTS, Proxy, Rule
from integration.engine.driver import Engine, Object, config_map, named, virtual_service
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


class Meanwhile:
    """A hook that has somebody change the config map `colours` before the first write of a run."""

    def __init__(self, cluster: Cluster, namespace: str, manager: str, **data: str) -> None:
        self.cluster, self.manager, self.data, self.called = cluster, manager, data, False
        self.path = cluster.rest.resource("configmaps").path("colours", namespace)

    def __call__(self) -> None:
        if not self.called:
            self.called = True
            self.cluster.rest.patch(self.path, {"data": self.data}, fieldManager=self.manager)


LABELLED = {"stray": "yes"}
DROPS = [(), label_paths("stray")]


@pytest.mark.parametrize("drops", DROPS, ids=["plain", "with-a-label-dropped"])
def test_who_takes_a_field_after_the_plan_is_not_overwritten(
    cluster: Cluster, namespace: str, drops: tuple[tuple[str, ...], ...]
) -> None:
    """Force would take it from whoever holds it by then, and only one of them is named."""
    cluster.apply(config_map("colours", namespace, LABELLED, sky="grey", sea="grey"), manager="named")
    hook = Meanwhile(cluster, namespace, "unnamed", sky="red")
    engine = Engine(cluster.kubeconfig, take_ownership_from=("named",), before_write=hook)
    with pytest.raises(Conflict, match=r"\.data\.sky is owned by 'unnamed' \(live 'red', desired 'blue'\)") as raised:
        engine.run([Desired(config_map("colours", namespace, sky="blue"), drops=drops)])
    assert not raised.value.changed
    found = cluster.get("configmap", "colours", namespace)
    assert (found["data"], found["metadata"]["labels"]) == ({"sky": "red", "sea": "grey"}, LABELLED)


@pytest.mark.parametrize("drops", DROPS, ids=["plain", "with-a-label-dropped"])
@pytest.mark.parametrize(("manager", "field"), [("named", "sky"), ("unnamed", "grass")])
def test_other_writes_after_the_plan_are_no_hindrance(
    cluster: Cluster, namespace: str, manager: str, field: str, drops: tuple[tuple[str, ...], ...]
) -> None:
    cluster.apply(config_map("colours", namespace, LABELLED, sky="grey", sea="grey"), manager="named")
    hook = Meanwhile(cluster, namespace, manager, **{field: "green"})
    engine = Engine(cluster.kubeconfig, take_ownership_from=("named",), before_write=hook)
    wanted = [Desired(config_map("colours", namespace, sky="blue"), drops=drops)]
    assert engine.run(wanted).changed
    found = cluster.get("configmap", "colours", namespace)
    assert found["data"] == {"sea": "grey", field: "green"} | {"sky": "blue"}
    assert found["metadata"].get("labels", {}) == ({} if drops else LABELLED)
    assert not engine.run(wanted).changed


def test_what_was_taken_over_with_a_lost_answer_is_done_once(cluster: Cluster, namespace: str) -> None:
    """Its repetition meets the version that it has made itself."""
    cluster.apply(config_map("colours", namespace, sky="grey"), manager="named")
    with Proxy(cluster) as proxy:
        proxy.play([Rule(FAULTS["reset_after"], verb="apply", dry_run=False, path="configmaps/colours", nth={1})])
        engine = Engine(proxy.kubeconfig, take_ownership_from=("named",))
        assert engine.run([config_map("colours", namespace, sky="blue")]).changed
    assert cluster.get("configmap", "colours", namespace)["data"] == {"sky": "blue"}
    assert not Engine(cluster.kubeconfig).run([config_map("colours", namespace, sky="blue")]).changed


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
