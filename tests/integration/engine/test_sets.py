"""Object sets on a real API server: what the specification asks for, what is pruned and what never is.

kubectl's own ApplySets stand beside ours: each refuses the other's by the name of the tool.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict, Failure
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import Resource
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import PART_OF, Desired, Key
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objectset import (
    ForeignSet,
    NotInSet,
    ObjectSet,
    PruneLimit,
    open_set,
)
from faults import Proxy, Rule
from faults.catalogue import WRITES, Answer, Fault
from integration.engine.driver import MANAGER, Engine, Object, config_map, named, state, verbs, virtual_service
from integration.support.bed import Cluster

pytestmark = pytest.mark.usefixtures("crds")
SPECIFIED = "applyset.kubernetes.io/"
# Without members in other namespaces kubectl writes an empty hint, and we write none: the specification allows both.
NO_OTHERS = f"{SPECIFIED}additional-namespaces"
GROUP = "tests.example.com"
REFUSED = Fault("refused", Answer(403, b'{"kind": "Status", "code": 403, "reason": "Forbidden"}'), WRITES)


@pytest.fixture
def engine(cluster: Cluster) -> Engine:
    return Engine(cluster.kubeconfig)


@pytest.fixture
def objects(namespace: str) -> ObjectSet:
    return ObjectSet("shop", namespace, prune=True)


@pytest.fixture
def elsewhere(cluster: Cluster, namespaces: list[str], namespace: str) -> str:
    """A second namespace, for members that do not live beside their parent."""
    namespaces.append(f"{namespace}-more")
    cluster.create_namespace(namespaces[-1])
    return namespaces[-1]


def kubectl_applyset(cluster: Cluster, namespace: str, name: str, *objects: Object) -> subprocess.CompletedProcess[str]:
    """The bed's kubectl applies some objects as an ApplySet of its own, and prunes."""
    argv = [str(cluster.bin / "kubectl"), "--kubeconfig", cluster.kubeconfig, "apply", "--server-side", "--prune"]
    argv += ["-n", namespace, f"--applyset=configmaps/{name}", "-f", "-"]
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    env = {**os.environ, "KUBECTL_APPLYSET": "true"}
    return subprocess.run(argv, input=document, env=env, capture_output=True, text=True, check=False)


def parent(cluster: Cluster, namespace: str, name: str = "shop") -> dict[str, dict[str, str]]:
    metadata = cluster.get("configmap", name, namespace)["metadata"]
    return {
        part: {key: value for key, value in metadata.get(part, {}).items() if key.startswith(SPECIFIED)}
        for part in ("labels", "annotations")
    }


def members(namespace: str, *names: str) -> list[Object]:
    return [config_map(name, namespace, a="1") for name in names]


def alive(cluster: Cluster, kinds: str, namespace: str, of: ObjectSet) -> set[str]:
    return set(state(cluster, namespace, kinds, f"{PART_OF}={of.id}"))


def test_parent_is_what_kubectl_makes_of_the_same_objects(engine: Engine, cluster: Cluster, namespace: str) -> None:
    """Labels and annotations, but for the tool and for what follows from the parent's name."""
    wanted, names = [*members(namespace, "a"), virtual_service("b", namespace)], ("ours", "theirs")
    applied = kubectl_applyset(cluster, namespace, "theirs", *wanted)
    assert applied.returncode == 0, applied.stderr
    of_kubectl = cluster.get("configmap", "a", namespace)["metadata"]["labels"]
    cluster.kubectl("delete", "configmap/a", "virtualservice/b", "-n", namespace)
    engine.run(wanted, object_set=ObjectSet("ours", namespace))
    ours, theirs = (parent(cluster, namespace, name) for name in names)
    assert ours["annotations"].pop(f"{SPECIFIED}tooling").startswith("service_mesh.istio/v")
    assert theirs["annotations"].pop(f"{SPECIFIED}tooling").startswith("kubectl/v")
    assert {**ours["annotations"], NO_OTHERS: ""} == {**theirs["annotations"], NO_OTHERS: ""}
    ids = [ObjectSet(name, namespace).id for name in names]
    assert [found["labels"] for found in (ours, theirs)] == [{f"{SPECIFIED}id": value} for value in ids]
    of_ours = cluster.get("configmap", "a", namespace)["metadata"]["labels"]
    assert [of_ours, of_kubectl] == [{PART_OF: value} for value in ids]


def test_sets_of_other_tools_are_refused_by_their_name(engine: Engine, cluster: Cluster, namespace: str) -> None:
    assert kubectl_applyset(cluster, namespace, "theirs", *members(namespace, "a")).returncode == 0
    with pytest.raises(ForeignSet, match="it belongs to 'kubectl'"):
        engine.run(members(namespace, "b"), object_set=ObjectSet("theirs", namespace, prune=True))
    engine.run(members(namespace, "c"), object_set=ObjectSet("shop", namespace))
    refused = kubectl_applyset(cluster, namespace, "shop", *members(namespace, "d"))
    assert refused.returncode != 0
    assert "service_mesh.istio" in refused.stderr
    assert cluster.names("configmap", namespace) & {"a", "b", "c", "d"} == {"a", "c"}


def test_config_map_that_is_no_parent_is_left_alone(engine: Engine, cluster: Cluster, namespace: str) -> None:
    cluster.apply(config_map("shop", namespace, settings="of an application"))
    with pytest.raises(ForeignSet, match="it is no parent of a set"):
        engine.run(members(namespace, "a"), object_set=ObjectSet("shop", namespace))
    assert "a" not in cluster.names("configmap", namespace)


def test_version_of_the_tool_does_not_matter(
    engine: Engine, cluster: Cluster, namespace: str, objects: ObjectSet
) -> None:
    """A parent that an older or newer release of ours has written is ours."""
    engine.run(members(namespace, "a", "b"), object_set=objects)
    metadata = parent(cluster, namespace)
    newer = {**metadata["annotations"], f"{SPECIFIED}tooling": "service_mesh.istio/v9"}
    cluster.apply(named("ConfigMap", "shop", namespace, labels=metadata["labels"], annotations=newer), manager=MANAGER)
    assert ("delete", "ConfigMap", "b") in verbs(engine.run(members(namespace, "a"), object_set=objects))


def test_hint_that_somebody_changed_is_a_conflict_like_any_other(
    engine: Engine, cluster: Cluster, namespace: str, objects: ObjectSet
) -> None:
    engine.run(members(namespace, "a", "b"), object_set=objects)
    patch = {"metadata": {"annotations": {f"{SPECIFIED}contains-group-kinds": "Secret,ConfigMap"}}}
    cluster.patch("configmap", "shop", namespace, patch)
    with pytest.raises(Conflict, match=r"take_ownership_from: \[kubectl-patch\]"):
        engine.run(members(namespace, "a"), object_set=objects)
    taking = Engine(engine.kubeconfig, take_ownership_from=("kubectl-patch",))
    assert ("delete", "ConfigMap", "b") in verbs(taking.run(members(namespace, "a"), object_set=objects))


def test_hints_are_wide_while_writing_and_exact_afterwards(
    cluster: Cluster, namespace: str, elsewhere: str, objects: ObjectSet
) -> None:
    """What was and what will be: whoever comes after a killed run finds every member."""
    seen: list[dict[str, str]] = []

    def look() -> None:
        if "shop" in cluster.names("configmap", namespace):
            seen.append(parent(cluster, namespace)["annotations"])

    engine = Engine(cluster.kubeconfig)
    engine.run([virtual_service("old", elsewhere)], object_set=objects)
    watched = Engine(cluster.kubeconfig, before_write=look)
    watched.run(members(namespace, "new"), object_set=objects)
    kinds, places = f"{SPECIFIED}contains-group-kinds", f"{SPECIFIED}additional-namespaces"
    assert seen[-1][kinds].split(",") == ["ConfigMap", "VirtualService.networking.istio.io"]
    assert seen[-1][places] == elsewhere
    assert parent(cluster, namespace)["annotations"][kinds] == "ConfigMap"
    assert places not in parent(cluster, namespace)["annotations"]


def hints(cluster: Cluster, namespace: str) -> tuple[set[str], str]:
    """Kinds and places of members, as the parent of `shop` says."""
    annotations = parent(cluster, namespace)["annotations"]
    return set(annotations[f"{SPECIFIED}contains-group-kinds"].split(",")), annotations.get(NO_OTHERS, "")


def test_what_left_the_input_unpruned_is_found_by_a_later_run(
    engine: Engine, cluster: Cluster, namespace: str, elsewhere: str, objects: ObjectSet
) -> None:
    """Runs that do not prune leave members behind: their kinds and places stay in the hints."""
    stays, keeping = members(namespace, "stays"), ObjectSet("shop", namespace)
    engine.run([*stays, virtual_service("left", elsewhere)], object_set=keeping)
    assert not engine.run(stays, object_set=keeping).changed
    engine.run(members(namespace, "stays", "more"), object_set=keeping)
    assert hints(cluster, namespace) == ({"ConfigMap", "VirtualService.networking.istio.io"}, elsewhere)
    done = engine.run(members(namespace, "stays", "more"), object_set=objects)
    assert verbs(done) == [("update", "ConfigMap", "shop"), ("delete", "VirtualService", "left")]
    assert hints(cluster, namespace) == ({"ConfigMap"}, "")
    assert not engine.run(members(namespace, "stays", "more"), object_set=keeping).changed


def test_what_could_not_be_pruned_is_found_by_the_next_run(
    cluster: Cluster, namespace: str, elsewhere: str, objects: ObjectSet
) -> None:
    """With `on_error: continue` a deletion may fail while all else is done."""
    with Proxy(cluster) as proxy:
        engine = Engine(proxy.kubeconfig)
        engine.run([*members(namespace, "a"), virtual_service("goes", elsewhere)], object_set=objects)
        proxy.play([Rule(REFUSED, verb="delete", path="virtualservices/goes", dry_run=False, nth={1})])
        with pytest.raises(Failure, match="VirtualService"):
            engine.run(members(namespace, "a", "b"), object_set=objects, on_error="continue")
        assert hints(cluster, namespace) == ({"ConfigMap", "VirtualService.networking.istio.io"}, elsewhere)
        assert "b" in cluster.names("configmap", namespace)
        again = engine.run(members(namespace, "a", "b"), object_set=objects)
        assert ("delete", "VirtualService", "goes") in verbs(again)
    assert (cluster.names("virtualservices", elsewhere), hints(cluster, namespace)) == (set(), ({"ConfigMap"}, ""))


def test_prune_takes_what_left_the_input_and_nothing_else(
    engine: Engine, cluster: Cluster, namespace: str, elsewhere: str, objects: ObjectSet
) -> None:
    """Not what is desired, not what lost its label, not what is in no set or in another."""
    first = [*members(namespace, "stays", "goes", "freed"), virtual_service("goes", elsewhere)]
    engine.run(first, object_set=objects)
    engine.run(members(namespace, "another"), object_set=ObjectSet("other", namespace))
    cluster.apply(config_map("stranger", namespace, a="1"))
    cluster.patch("configmap", "freed", namespace, {"metadata": {"labels": {PART_OF: None}}})
    wanted = members(namespace, "stays")
    check = engine.run(wanted, object_set=objects, check=True)
    assert alive(cluster, "configmap", namespace, objects) == {"ConfigMap stays", "ConfigMap goes"}
    done = engine.run(wanted, object_set=objects)
    assert (done.plan(), done.diff()) == (check.plan(), check.diff())
    assert verbs(done)[-2:] == [("delete", "VirtualService", "goes"), ("delete", "ConfigMap", "goes")]
    left = {"stays", "freed", "another", "stranger", "shop"}
    assert cluster.names("configmap", namespace) >= left
    assert "goes" not in cluster.names("configmap", namespace)
    assert cluster.names("virtualservices", elsewhere) == set()
    assert not engine.run(wanted, object_set=objects).changed


def test_first_run_with_prune_prunes_nothing(
    engine: Engine, cluster: Cluster, namespace: str, objects: ObjectSet
) -> None:
    """And says so, in check mode as in a run; the second run has nothing to say."""
    cluster.apply(config_map("stranger", namespace, a="1"))
    check, done, again = (
        engine.run(members(namespace, "a"), object_set=objects, check=check) for check in (True, False, False)
    )
    assert {verb for verb, _kind, _name in verbs(done)} == {"create"}
    assert "stranger" in cluster.names("configmap", namespace)
    (warning,) = done.warnings
    assert f"the set 'shop' in {namespace} does not exist yet, so no object was ours and none is pruned" in warning
    assert (check.warnings, again.warnings) == ([warning], [])
    no_prune = ObjectSet("quiet", namespace)
    assert engine.run(members(namespace, "b"), object_set=no_prune, check=True).warnings == []


def test_namespaces_crds_and_certificates_are_never_pruned(
    engine: Engine, cluster: Cluster, namespace: str, new_namespace: str, namespaces: list[str], objects: ObjectSet
) -> None:
    assert new_namespace == namespace
    kept = f"{namespace}-kept"
    namespaces.append(kept)
    secret = named("Secret", "cacerts", namespace, stringData={"root-cert.pem": "of a mesh"})
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": kept}}
    engine.run([secret, home, crd("Keepsake"), *members(namespace, "a")], object_set=objects)
    assert verbs(engine.run(members(namespace, "a"), object_set=objects)) == [("update", "ConfigMap", "shop")]
    cluster.kubectl("get", f"namespace/{kept}", f"crd/keepsakes.{GROUP}")
    assert "cacerts" in cluster.names("secret", namespace)


def crd(kind: str, version: str = "v1") -> Object:
    """A CRD of the tests' own group."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": version, "served": True, "storage": True, "schema": schema}]
    names = {"plural": f"{kind.lower()}s", "singular": kind.lower(), "kind": kind}
    spec = {"group": GROUP, "names": names, "scope": "Namespaced", "versions": versions}
    head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**head, "metadata": {"name": f"{kind.lower()}s.{GROUP}"}, "spec": spec}


@pytest.fixture
def kinds(cluster: Cluster) -> Iterator[None]:
    """A group whose preferred version, v1, has Widgets and Gadgets; Trinkets are in another one alone."""
    made = [crd("Widget"), crd("Gadget"), crd("Trinket", "v1alpha1")]
    names = [f"crd/{one['metadata']['name']}" for one in made]
    cluster.apply(*made)
    cluster.kubectl("wait", "--for=condition=Established", *names)
    yield
    cluster.kubectl("delete", "--ignore-not-found", *names)


@pytest.mark.usefixtures("kinds")
def test_kind_that_has_gone_while_its_group_stays_has_no_members(
    engine: Engine, cluster: Cluster, namespace: str, objects: ObjectSet
) -> None:
    gadget = named("Gadget", "goes", namespace, f"{GROUP}/v1")
    engine.run([*members(namespace, "a", "b"), gadget], object_set=objects)
    cluster.kubectl("delete", f"crd/gadgets.{GROUP}")
    done = engine.run(members(namespace, "a"), object_set=objects)
    assert verbs(done) == [("update", "ConfigMap", "shop"), ("delete", "ConfigMap", "b")]
    assert not engine.run(members(namespace, "a"), object_set=objects).changed


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize("known", [[], ["v1"]], ids=["by-its-group", "known-in-another-version"])
def test_members_are_found_in_whatever_version_is_served(
    engine: Engine, cluster: Cluster, namespace: str, objects: ObjectSet, known: list[str]
) -> None:
    """An older Istio, too, serves its kinds in other versions than those of our table."""
    trinket = named("Trinket", "goes", namespace, f"{GROUP}/v1alpha1")
    engine.run([*members(namespace, "a"), trinket], object_set=objects)
    table = {
        (f"{GROUP}/{version}", "Trinket"): Resource(f"{GROUP}/{version}", "Trinket", "trinkets") for version in known
    }
    client = Client(connect(ConnectionOptions(kubeconfig=cluster.kubeconfig)), table)
    desired = [Desired(one) for one in members(namespace, "a")]
    assert open_set(client, objects, MANAGER, desired, []).pruned == [Key.of(trinket)]
    done = engine.run(members(namespace, "a"), object_set=objects)
    assert verbs(done) == [("update", "ConfigMap", "shop"), ("delete", "Trinket", "goes")]
    assert cluster.names(f"trinkets.{GROUP}", namespace) == set()


def test_what_a_controller_makes_with_copied_labels_is_no_member(
    engine: Engine, cluster: Cluster, namespace: str, objects: ObjectSet
) -> None:
    """As istiod does with a Gateway's labels, and Kubernetes with those of a Service."""
    services = [named("Service", name, namespace, spec={"ports": [{"port": 80}]}) for name in ("stays", "goes")]
    engine.run(services, object_set=objects)
    copied = named("Service", "made", namespace, spec={"ports": [{"port": 80}]}, labels={PART_OF: objects.id})
    cluster.apply(copied, manager="istio.io/gateway-controller")
    assert verbs(engine.run(services[:1], object_set=objects))[-1] == ("delete", "Service", "goes")
    assert not engine.run(services[:1], object_set=objects).changed
    assert cluster.names("services", namespace) == {"stays", "made"}


@pytest.mark.parametrize("check", [True, False])
def test_prune_limit(engine: Engine, cluster: Cluster, namespace: str, check: bool) -> None:
    engine.run(members(namespace, "a", "b", "c", "d"), object_set=ObjectSet("shop", namespace))
    with pytest.raises(PruneLimit) as raised:
        engine.run(
            members(namespace, "a"), object_set=ObjectSet("shop", namespace, prune=True, prune_limit=2), check=check
        )
    assert "3 objects" in str(raised.value)
    assert all(f"ConfigMap {namespace}/{name}" in str(raised.value) for name in "bcd")
    assert cluster.names("configmap", namespace) >= {"a", "b", "c", "d"}
    enough = ObjectSet("shop", namespace, prune=True, prune_limit=3)
    assert len(verbs(engine.run(members(namespace, "a"), object_set=enough, check=True))) == 3


@pytest.mark.parametrize("other", [None, "other"])
def test_objects_outside_are_adopted_only_on_request(
    engine: Engine, cluster: Cluster, namespace: str, other: str | None
) -> None:
    """What exists in no set, or in another of ours: refused with its name, nothing written; then adopted."""
    engine.run(members(namespace, "a"), object_set=ObjectSet(other, namespace) if other else None)
    before = cluster.get("configmap", "a", namespace)
    for check in (True, False):
        with pytest.raises(NotInSet, match=f"ConfigMap {namespace}/a.*adopt: true"):
            engine.run(members(namespace, "a", "b"), object_set=ObjectSet("shop", namespace), check=check)
    assert cluster.get("configmap", "a", namespace) == before
    assert "shop" not in cluster.names("configmap", namespace)
    adopting = ObjectSet("shop", namespace, adopt=True)
    engine.run(members(namespace, "a", "b"), object_set=adopting)
    assert alive(cluster, "configmap", namespace, adopting) == {"ConfigMap a", "ConfigMap b"}
    assert not engine.run(members(namespace, "a", "b"), object_set=ObjectSet("shop", namespace)).changed


def test_failed_run_gives_the_members_back(cluster: Cluster, namespace: str, objects: ObjectSet) -> None:
    """Roll-back of a run that also prunes; afterwards the set finds all of its members."""
    names = ("a", "b", "c", "d")
    with Proxy(cluster) as proxy:
        engine = Engine(proxy.kubeconfig)
        engine.run(members(namespace, *names), object_set=objects)
        was = state(cluster, namespace, "configmaps", f"{PART_OF}={objects.id}")
        for name in names[1:]:
            proxy.play([Rule(REFUSED, verb="delete", path=f"configmaps/{name}", dry_run=False, nth={1})])
            with pytest.raises(Failure) as raised:
                engine.run(members(namespace, "a", "new"), object_set=objects)
            assert not raised.value.changed, str(raised.value)
            assert state(cluster, namespace, "configmaps", f"{PART_OF}={objects.id}") == was
        proxy.play([])
        assert len(verbs(engine.run(members(namespace, "a"), object_set=objects))) == 3
    assert alive(cluster, "configmap", namespace, objects) == {"ConfigMap a"}


def test_set_of_nothing_removes_everything(
    engine: Engine, cluster: Cluster, namespace: str, objects: ObjectSet
) -> None:
    engine.run([*members(namespace, "a", "b"), virtual_service("c", namespace)], object_set=objects)
    engine.run([], object_set=objects)
    assert alive(cluster, "configmaps,virtualservices", namespace, objects) == set()
    assert not engine.run([], object_set=objects).changed
