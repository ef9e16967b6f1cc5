"""What a control plane must not become in place."""

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.charts import ChartSource
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.desired_control_plane import ControlPlane
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.installed import Installed, Istiod, Record
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.refusals import (
    IdentityChange,
    KeptElsewhere,
    UpgradePath,
    refuse_changes,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure

VALUES = {
    "global": {"meshID": "shop", "network": "net1", "multiCluster": {"clusterName": "east"}},
    "meshConfig": {"enablePrometheusMerge": True},
}


def wanted(version: str = "1.29.1", **more: Any) -> ControlPlane:
    identity = {"mesh_id": "shop", "network": "net1", "cluster_name": "east", "inventory": "shop"}
    return ControlPlane(version, ChartSource(directory="charts"), **{**identity, **more})


def there(version: str = "1.29.1", revision: str = "", **more: Any) -> Istiod:
    kept_by = more.pop("inventory", "shop")
    return Istiod(
        revision, **{"namespace": "istio-system", "values": VALUES, **more, "record": Record(version, kept_by)}
    )


def judge(found: list[Istiod], asked: ControlPlane, **shared: Record) -> None:
    refuse_changes("east", Installed({istiod.revision: istiod for istiod in found}, shared), asked)


def refused(kind: type[Failure], found: list[Istiod], asked: ControlPlane, **shared: Record) -> str:
    with pytest.raises(kind) as refusal:
        judge(found, asked, **shared)
    return str(refusal.value)


def test_what_is_there_may_stay_as_it_is() -> None:
    judge([], wanted())
    judge([there()], wanted())
    judge([there(values={})], wanted(mesh_id="another"))  # of a control plane without its values nothing is known
    defaults = {"global": {}, "meshConfig": {"trustDomain": "cluster.local"}}
    judge([there(values=defaults)], wanted(mesh_id=None, network=None, cluster_name="Kubernetes"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"mesh_id": "store"},
            "The identity of the mesh of the control plane 'default' on east cannot change from 'shop'",
        ),
        ({"mesh_id": None}, "cannot change from 'shop' to 'none' in place"),
        ({"network": "net2"}, "The network of the control plane 'default' on east cannot change from 'net1' to 'net2'"),
        ({"cluster_name": "west"}, "The name of the cluster of the control plane"),
        ({"mesh_config": {"trustDomain": "example.com"}}, "The trust domain of the control plane 'default' on east"),
        ({"namespace": "mesh"}, "The root namespace of the control plane 'default' on east cannot change"),
    ],
)
def test_its_identity_does_not_change(options: dict[str, Any], message: str) -> None:
    assert message in refused(IdentityChange, [there()], wanted(**options))


def test_a_revision_beside_it_shares_its_identity() -> None:
    judge([there()], wanted(revision="r1"))
    assert "The network of the control plane 'default'" in refused(
        IdentityChange, [there()], wanted(revision="r1", network="net2")
    )


@pytest.mark.parametrize("version", ["1.29.1", "1.29.9", "1.30.0", "1.30.7"])
def test_in_place_the_next_minor_version_follows(version: str) -> None:
    judge([there()], wanted(version))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("1.29.1", "1.29.0", "an older version does not understand"),
        ("1.29.1", "1.28.3", "Install 1.28.3 beside it with a 'revision' of its own and move the namespaces to that"),
        ("1.29.1", "1.31.0", "Go 1.29.1 -> 1.30.7 -> 1.31.0, or install 1.31.0 beside it with a 'revision' of its own"),
        (
            "1.28.3",
            "1.31.0",
            "Go 1.28.3 -> 1.29.9 -> 1.30.7 -> 1.31.0; with a 'revision' of its own each step may skip one",
        ),
        ("1.28.3-distroless", "1.30.0", "Go 1.28.3 -> 1.29.9 -> 1.30.0"),
    ],
)
def test_an_older_and_a_far_version_are_refused_with_the_path(old: str, new: str, told: str) -> None:
    message = refused(UpgradePath, [there(old)], wanted(new))
    assert f"The control plane 'default' on east cannot go from {old} to {new} in place" in message.replace(
        "the", "The", 1
    )
    assert told in message


def test_a_build_of_somebodys_own_has_no_path() -> None:
    judge([there("latest")], wanted("1.31.0"))


def test_beside_each_other_two_minor_versions_apart() -> None:
    judge([there("1.29.1")], wanted("1.31.0", revision="r1"))
    judge([there("1.31.0", "r1")], wanted("1.29.1"))
    message = refused(UpgradePath, [there("1.28.3")], wanted("1.31.0", revision="r1"))
    assert "A control plane 1.31.0 cannot be installed beside the control plane 'default' (1.28.3) on east" in message
    assert "Move the mesh step by step: 1.28.3 -> 1.30.7 -> 1.31.0" in message
    message = refused(UpgradePath, [there("1.31.0", "r1")], wanted("1.28.3"))
    assert "Remove the control plane 'r1' first" in message


def test_one_inventory_keeps_it() -> None:
    judge([there(inventory="")], wanted())
    judge([there(inventory="old")], wanted(take_over_from="old"))
    message = refused(KeptElsewhere, [there(inventory="old")], wanted())
    assert "The inventory 'old' keeps the control plane 'default' on east, and this task says 'shop'" in message
    assert "'take_over_from: old'" in message
    assert "names none" in refused(KeptElsewhere, [there(inventory="old")], wanted(inventory=""))
    assert refused(KeptElsewhere, [there(inventory="old")], wanted(take_over_from="another"))


def test_what_revisions_share_has_one_inventory_too() -> None:
    agent = wanted(components=("cni",))
    judge([there(inventory="old")], agent, cni=Record("1.29.1", "shop"))
    assert "The inventory 'old' keeps cni" in refused(KeptElsewhere, [], agent, cni=Record("1.29.1", "old"))
