"""The examples in the documentation: a real API server takes each as it stands, and a second time without a write.

Those of single kinds are run as operations, in a namespace of their own. Those of config and config_info have templates
and names of files: they are tasks of a playbook, on a server where everything is called as it is in them.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from integration.conftest import install_crds
from integration.support import bed
from integration.support.bed import ROOT, Cluster
from integration.support.operations import Operations
from integration.support.playbook import Runner

Changes = Callable[[], list[str]]
Task = dict[str, Any]
COLLECTION = "service_mesh.istio"
# An example shows one object, and not the others that it works with.
ALONE = ["subset_not_defined"]
OF_KINDS = {kind.name for kind in KINDS}
PLAYED = {"config", "config_info"}
# Whose examples are taken by another file, and whose cannot be taken by a server without nodes.
ELSEWHERE = {"gateway_deployment": "test_gateway_deployment.py"}
NEED_A_MESH = {
    "connectivity_probe": "it asks from Pod to Pod",
    "control_plane": "it waits for istiod's Pods, and most examples download charts",
    "injection": "it labels for an istiod that runs, and one example changes a Deployment whose Pods have to come",
    "injection_info": "it reports on Pods, by the webhooks of an istiod",
    "mesh_ca": "it gives certificates to an istiod, and one example is a step of their rotation",
    "mesh_info": "its examples assert that a mesh is ready",
    "precheck": "it judges nodes, Pods and a control plane that is there",
    "proxy_log_level": "it speaks with proxies",
    "remote_cluster": "it joins two clusters, of which istiod reads one",
    "revision_tag": "it names revisions whose istiod has to be there",
    "sidecar_rollout": "it restarts Pods and waits for them",
    "upgrade": "it goes from one running istiod to another",
}


def tasks_of(module: str) -> list[Task]:
    found = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.modules.{module}")
    return list(yaml.safe_load(found.EXAMPLES))


def test_every_module_is_accounted_for() -> None:
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    assert OF_KINDS | PLAYED | {*ELSEWHERE} | {*NEED_A_MESH} == modules
    assert all((Path(__file__).parent / file).exists() for file in ELSEWHERE.values())


def examples_of_kinds() -> Iterator[Any]:
    for kind in KINDS:
        for number, task in enumerate(tasks_of(kind.name)):
            yield pytest.param(kind.name, task[f"{COLLECTION}.{kind.name}"], id=f"{kind.name}-{number}")


@pytest.mark.usefixtures("every_kind")
@pytest.mark.parametrize(("module", "arguments"), list(examples_of_kinds()))
def test_example_of_a_kind(
    module: str, arguments: Task, namespace: str, operations: Operations, changes: Changes
) -> None:
    """On the test's own cluster and in its own namespace; the rest is the example's."""
    own = {**arguments, "namespace": namespace, "ignore_checks": ALONE}
    del own["context"]
    writes = 0 if own.get("state") == "absent" else 1
    check = operations.run(module, own, check=True)
    assert (check["summary"]["create"], changes()) == (writes, [])
    assert (operations.run(module, own)["plan"], len(changes())) == (check["plan"], writes)
    assert (operations.run(module, own)["changed"], changes()) == (False, [])


@pytest.fixture(scope="module")
def east(tmp_path_factory: pytest.TempPathFactory, charts: Path) -> Iterator[Cluster]:
    """A server with a namespace for the shop and one for the mesh, and with the CRDs that examples speak of."""
    part = f"gateway-api-{bed.ISTIO}"
    files = [charts / "base" / "files" / "crd-all.gen.yaml", bed.parts(part)[part] / "gateway-api-crd.yaml"]
    with bed.own_cluster("api", tmp_path_factory.mktemp("east")) as own:
        for file in files:
            install_crds(own, file)
        for namespace in ("shop", "istio-system"):
            own.create_namespace(namespace)
        yield own


@pytest.fixture
def player(east: Cluster, tmp_path: Path) -> Iterator[Runner]:
    """Playbooks for which east is a context, beside the files that examples name; what they make goes again."""
    content = yaml.safe_load(Path(east.kubeconfig).read_text(encoding="utf-8"))
    content["contexts"][0]["name"] = "east"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(content), encoding="utf-8")
    for folder in ("routes", "shop"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ratings.yaml").write_text(yaml.safe_dump(route("ratings")), encoding="utf-8")
    (tmp_path / "shop.yaml.j2").write_text(yaml.safe_dump(route("{{ inventory_hostname }}")), encoding="utf-8")
    yield Runner(tmp_path, {"kubeconfig": str(tmp_path / "kubeconfig")})
    east.kubectl("delete", "virtualservices,destinationrules,peerauthentications", "--all", "-n", "shop")
    for name, namespace in (("colours", "shop"), ("shop", "istio-system")):
        east.kubectl("delete", "configmap", name, "-n", namespace, "--ignore-not-found")


def route(name: str) -> Task:
    metadata = {"name": name, "namespace": "shop", "labels": {"team": "shop"}}
    spec = {"hosts": [name], "http": [{"route": [{"destination": {"host": name}}]}]}
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("number", range(len(tasks_of("config"))))
def test_example_of_config(number: int, player: Runner) -> None:
    task = tasks_of("config")[number]
    check = player.run(task, arguments=["--check"])
    assert check.rc == 0, check.output
    played = player.run(task, task)
    assert played.rc == 0, played.output
    first, second = played.results
    assert (first.changed, first.plan, second.changed) == (True, check.last.plan, False)


def test_examples_of_config_info(player: Runner, east: Cluster) -> None:
    """All of them as one playbook: later ones speak of what earlier ones have registered."""
    east.apply(route("ratings"))
    played = player.run(*tasks_of("config_info"))
    assert played.rc == 0, played.output
    routes, shown, ours = played.results
    assert [[found["metadata"]["name"] for found in result.data["objects"]] for result in (routes, ours)] == [
        ["ratings"],
        ["ratings"],
    ]
    assert shown.data["msg"] == ["ratings"]


def test_example_of_the_role(player: Runner) -> None:
    """The variables in its README but for those of conflicts, of which there are none here."""
    text = (ROOT / "roles" / "mesh_config" / "README.md").read_text(encoding="utf-8")
    described, of_the_set, _conflicts = (
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.S)
    )
    variables = {**described, **of_the_set, "mesh_kubeconfig": player.connection["kubeconfig"], "mesh_context": "east"}
    role = {"ansible.builtin.import_role": {"name": f"{COLLECTION}.mesh_config"}, "vars": variables}
    played = player.run({"name": "First", **role}, {"name": "Second", **role})
    assert played.rc == 0, played.output
    first, second = (result for result in played.results if "plan" in result.data)
    made = {(row["kind"], row["name"]) for row in first.plan if row["action"] == "create"}
    assert {("VirtualService", "shop"), ("VirtualService", "ratings"), ("ConfigMap", "colours")} <= made
    assert (first.changed, second.changed) == (True, False)


def test_the_role_makes_no_text_of_numbers(player: Runner) -> None:
    wrong = {"name": "a", "namespace": "shop", "hosts": [0.10]}
    variables = {"mesh_kubeconfig": player.connection["kubeconfig"], "mesh_config_virtual_services": [wrong]}
    role = {"ansible.builtin.import_role": {"name": f"{COLLECTION}.mesh_config"}, "vars": variables}
    played = player.run({"name": "Configuration", **role})
    assert played.rc != 0
    assert "'virtual_services[0].hosts[0]' must be text, but YAML reads it as the number 0.1" in played.last.data["msg"]
