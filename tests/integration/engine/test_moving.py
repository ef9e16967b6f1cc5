"""Objects move between tasks of ours, from no set to a set, to another and out again, and leave nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict, Failure
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import PART_OF
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objectset import ObjectSet
from faults import FAULTS, Proxy, Rule
from faults.catalogue import WRITES, Answer, Fault
from integration.engine.driver import essence
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("crds")
FAMILY = "service_mesh.istio/config"
Options = dict[str, Any]
REFUSED = Fault("refused", Answer(403, b'{"kind": "Status", "code": 403, "reason": "Forbidden"}'), WRITES)


def routes(namespace: str, *fields: str, of: str = "", **more: Any) -> Options:
    """A VirtualService with some of its fields, in a set or in none."""
    values = {"gateways": ["mesh"], "export_to": ["."], "labels": {"team": "shop"}}
    row = {"name": "reviews", "namespace": namespace, "hosts": ["reviews"], **{name: values[name] for name in fields}}
    placed = {"set": of, "set_namespace": namespace} if of else {}
    return {"virtual_services": [row], **placed, **more}


def live(cluster: Cluster, namespace: str) -> dict[str, Any]:
    return cluster.get("virtualservice", "reviews", namespace)


def family(cluster: Cluster, namespace: str) -> set[str]:
    """Our managers of the object."""
    entries = live(cluster, namespace)["metadata"]["managedFields"]
    return {entry["manager"] for entry in entries if entry["manager"].startswith(FAMILY)}


MOVES = [("", "shop"), ("shop", "other"), ("shop", "")]


@pytest.mark.parametrize(("old", "new"), MOVES)
def test_move_hands_over_everything(
    operations: Operations, cluster: Cluster, audit: Audit, namespace: str, old: str, new: str
) -> None:
    """What the input has dropped goes at once, what it drops later goes later, and a second run sends nothing."""
    operations.run("config", routes(namespace, "gateways", "export_to", "labels", of=old))
    moved = routes(namespace, "gateways", "labels", of=new, adopt=True)
    check = operations.run("config", moved, check=True)
    done = operations.run("config", moved)
    assert (done["plan"], done["diff"]) == (check["plan"], check["diff"])
    row = next(row for row in done["plan"] if row["name"] == "reviews")
    assert "spec.exportTo" in row["fields"]
    assert row["reason"].startswith(f"'{FAMILY}/{old}'" if old else f"'{FAMILY}'")
    assert family(cluster, namespace) == {f"{FAMILY}/{new}" if new else FAMILY}
    found = live(cluster, namespace)
    assert found["spec"] == {"hosts": ["reviews"], "gateways": ["mesh"]}
    part_of = {PART_OF: ObjectSet(new, namespace).id} if new else {}
    assert found["metadata"]["labels"] == {"team": "shop", **part_of}
    mark = audit.mark()
    assert not operations.run("config", moved)["changed"]
    assert audit.persisted(mark) == []
    sent = [event["objectRef"]["resource"] for event in audit.requests(mark) if event["verb"] == "patch"]
    assert "virtualservices" not in sent, "the object is proved unchanged without a dry run"
    later = operations.run("config", routes(namespace, of=new))
    assert next(row for row in later["plan"] if row["name"] == "reviews")["fields"] == [
        "metadata.labels.team" if new else "metadata.labels",
        "spec.gateways",
    ]
    assert live(cluster, namespace)["spec"] == {"hosts": ["reviews"]}


def test_what_two_of_ours_have_shared_is_handed_over_by_both(
    operations: Operations, cluster: Cluster, namespace: str
) -> None:
    """A task without a set may share fields with one that has a set; who adopts gets what both had."""
    operations.run("config", routes(namespace, "gateways", of="shop"))
    operations.run("config", routes(namespace, "export_to", "labels"))
    assert family(cluster, namespace) == {FAMILY, f"{FAMILY}/shop"}
    moved = routes(namespace, of="other", adopt=True)
    check = operations.run("config", moved, check=True)
    done = operations.run("config", moved)
    assert done["diff"] == check["diff"]
    row = next(row for row in done["plan"] if row["name"] == "reviews")
    assert {"spec.gateways", "spec.exportTo", "metadata.labels.team"} <= set(row["fields"])
    after = next(entry for entry in done["diff"] if "reviews" in entry["after_header"])["after"]
    assert "gateways" not in after
    assert "exportTo" not in after
    assert family(cluster, namespace) == {f"{FAMILY}/other"}
    assert not operations.run("config", moved)["changed"]


def test_without_adopt_nothing_moves(operations: Operations, cluster: Cluster, namespace: str) -> None:
    operations.run("config", routes(namespace, "labels", of="shop"))
    before = live(cluster, namespace)
    with pytest.raises(Failure, match="adopt: true"):
        operations.run("config", routes(namespace, "labels", of="other"))
    changed = routes(namespace)
    changed["virtual_services"][0]["hosts"] = ["ratings"]
    with pytest.raises(Conflict, match=f"{FAMILY}/shop.*adopt: true"):
        operations.run("config", changed)
    assert live(cluster, namespace) == before


def test_what_others_manage_is_no_inheritance(operations: Operations, cluster: Cluster, namespace: str) -> None:
    """A field of somebody else stays, and one that we want as well is a conflict, adopted or not."""
    operations.run("config", routes(namespace))
    cluster.patch("virtualservice", "reviews", namespace, {"spec": {"gateways": ["theirs"]}})
    with pytest.raises(Conflict, match=r"take_ownership_from: \[kubectl-patch\]"):
        operations.run("config", routes(namespace, "gateways", of="shop", adopt=True))
    operations.run("config", routes(namespace, of="shop", adopt=True))
    assert live(cluster, namespace)["spec"] == {"hosts": ["reviews"], "gateways": ["theirs"]}


def test_roll_back_gives_back_what_was_handed_over(cluster: Cluster, namespace: str) -> None:
    """The hand-over and the change are two requests: whichever fails, the object is as it was."""
    with Proxy(cluster) as proxy:
        operations = Operations({"kubeconfig": proxy.kubeconfig})
        operations.run("config", routes(namespace, "gateways", "labels"))
        was = essence(live(cluster, namespace))
        for verb in ("patch", "apply"):
            proxy.play([Rule(REFUSED, verb=verb, path="virtualservices/reviews", dry_run=False, nth={1})])
            with pytest.raises(Failure) as raised:
                operations.run("config", routes(namespace, of="shop", adopt=True))
            assert not raised.value.changed, str(raised.value)
            assert essence(live(cluster, namespace)) == was


@pytest.mark.parametrize("fault", ["reset_after", "502_html_after", "504_after", "500_after", "409"])
def test_a_hand_over_whose_answer_is_lost_has_been_done(cluster: Cluster, namespace: str, fault: str) -> None:
    """Its version guards it, so a repetition would be a conflict with itself."""
    with Proxy(cluster) as proxy:
        operations = Operations({"kubeconfig": proxy.kubeconfig})
        operations.run("config", routes(namespace, "gateways"))
        proxy.play([Rule(FAULTS[fault], verb="patch", path="virtualservices/reviews", nth={1})])
        operations.run("config", routes(namespace, of="shop", adopt=True))
        assert [entry.what for entry in proxy.injected] == [fault]
    assert family(cluster, namespace) == {f"{FAMILY}/shop"}
    assert live(cluster, namespace)["spec"] == {"hosts": ["reviews"]}
