"""What the options of a control plane say to each chart."""

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.desired_control_plane import (
    COMPONENTS,
    ConflictingOptions,
    ControlPlane,
    chart_values,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.sizing import SIZES
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.control_plane import CONTROL_PLANE
from ansible_collections.service_mesh.istio.plugins.module_utils.task.worker import validated


def wanted(**options: Any) -> ControlPlane:
    request = CONTROL_PLANE.prepare(validated(CONTROL_PLANE, {"version": "1.29.1", **options}))
    assert isinstance(request, ControlPlane)
    return request


IDENTITY = {"mesh_id": "shop", "network": "net1", "cluster_name": "east", "pull_secrets": ["a", "b"], "revision": "r1"}
IMAGES = {"hub": "docker.io/istio", "tag": "1.29.1", "imagePullSecrets": ["a", "b"]}
CLUSTER = {"network": "net1", "multiCluster": {"clusterName": "east"}}
BEHAVIOUR: dict[str, Any] = {"profile": "ambient", "platform": "k3s", "compatibility_version": "1.28"}
SAID = {"profile": "ambient", "platform": "k3s", "compatibilityVersion": "1.28"}


@pytest.mark.parametrize(
    ("component", "values"),
    [
        ("base", {"global": {"istioNamespace": "istio-system", "imagePullSecrets": ["a", "b"]}}),
        (
            "istiod",
            {"global": {"istioNamespace": "istio-system", **IMAGES, "meshID": "shop", **CLUSTER}, "revision": "r1"},
        ),
        ("cni", {"global": IMAGES}),
        ("ztunnel", {"istioNamespace": "istio-system", **IMAGES, **CLUSTER, "revision": "r1"}),
    ],
)
def test_names_and_images_reach_every_component_where_its_chart_has_them(component: str, values: Any) -> None:
    assert chart_values(wanted(**IDENTITY), component) == values
    assert chart_values(wanted(**IDENTITY, **BEHAVIOUR), component) == {**values, **SAID}


def test_behaviour_is_that_of_istiod() -> None:
    asked = wanted(mesh_config={"a": 1}, high_availability=True, sizing="S50P200", components=["istiod", "cni"])
    values = chart_values(asked, "istiod")
    assert (values["meshConfig"], values["cni"]) == ({"a": 1}, {"enabled": True})
    assert values["resources"] == SIZES["S50P200"]
    assert (values["autoscaleMin"], values["autoscaleMax"]) == (2, 5)
    (spread,) = values["topologySpreadConstraints"]
    assert spread["labelSelector"] == {"matchLabels": {"app": "istiod", "istio.io/rev": "default"}}
    assert set(chart_values(asked, "cni")) == {"global"}


def test_the_default_of_injection_is_only_said_when_it_is_not_the_charts() -> None:
    assert "sidecarInjectorWebhook" not in chart_values(wanted(), "istiod")
    asked = wanted(injection_default=True)
    assert chart_values(asked, "istiod")["sidecarInjectorWebhook"] == {"enableNamespacesByDefault": True}
    assert "sidecarInjectorWebhook" not in chart_values(asked, "base")


def test_a_revisions_replicas_are_spread_by_its_own_label() -> None:
    (spread,) = chart_values(wanted(high_availability=True, revision="r1"), "istiod")["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"]["istio.io/rev"] == "r1"


OWN = {"meshConfig": {"b": 2}, "global": {"hub": "mirror.example.com"}}


def test_values_are_laid_over_what_options_say() -> None:
    values = chart_values(wanted(mesh_config={"a": 1}, profile="demo", values={"istiod": OWN}), "istiod")
    assert (values["profile"], values["meshConfig"]) == ("demo", {"a": 1, "b": 2})
    assert values["global"] == {"istioNamespace": "istio-system", "tag": "1.29.1", "hub": "mirror.example.com"}


def test_values_may_stand_alone() -> None:
    """But for what the task must know itself; to a chart that they do not name, options say what they always do."""
    asked = wanted(mesh_config={"a": 1}, profile="demo", values={"istiod": OWN}, values_merge="replace")
    assert chart_values(asked, "istiod") == {
        "meshConfig": {"b": 2},
        "global": {"istioNamespace": "istio-system", "tag": "1.29.1", "hub": "mirror.example.com"},
    }
    assert chart_values(asked, "base")["profile"] == "demo"
    nothing = wanted(profile="demo", values={"istiod": {}}, values_merge="replace")
    assert set(chart_values(nothing, "istiod")) == {"global"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": {"cni": {}}}, "values for the component 'cni', which is not to be installed"),
        (
            {"values": {"istiod": {"revision": "a"}}},
            "'revision' of the chart 'istiod' is said by the option 'revision'",
        ),
        (
            {"values": {"base": {"global": {"istioNamespace": "a"}}}},
            "'global.istioNamespace' of the chart 'base' is said by the option 'namespace'",
        ),
        (
            {"values": {"ztunnel": {"istioNamespace": "a"}}, "components": list(COMPONENTS)},
            "'istioNamespace' of the chart 'ztunnel' is said by the option 'namespace'",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConflictingOptions) as refused:
        wanted(**options)
    assert message in str(refused.value)


def test_sizes_grow() -> None:
    cpus = [int(size["requests"]["cpu"].removesuffix("m")) for size in SIZES.values()]
    assert cpus == sorted(cpus)
    assert all(set(size) == {"requests", "limits"} for size in SIZES.values())


@pytest.mark.parametrize(
    ("options", "inventory"),
    [({}, ""), ({"mesh_id": "shop"}, "shop"), ({"mesh_id": "shop", "inventory": "repo"}, "repo")],
)
def test_a_control_plane_is_kept_by_its_mesh_unless_something_else_is_said(
    options: dict[str, Any], inventory: str
) -> None:
    assert wanted(**options).inventory == inventory


SERVED = {"remote": {"primary": "east", "address": "203.0.113.7"}, "mode": "hosted", "cluster_name": "west"}


def test_a_remote_cluster_is_led_to_its_control_plane() -> None:
    values = chart_values(wanted(**SERVED, network="net2"), "istiod")
    assert (values["profile"], values["global"]["remotePilotAddress"]) == ("remote", "203.0.113.7")
    assert values["istiodRemote"] == {"injectionPath": "/inject/cluster/west/net/net2"}
    assert "externalIstiod" not in values["global"]
    assert chart_values(wanted(**SERVED), "istiod")["istiodRemote"] == {"injectionPath": "/inject/cluster/west"}


def test_a_primary_of_a_hosted_mesh_serves_others() -> None:
    assert chart_values(wanted(mode="hosted", cluster_name="east"), "istiod")["global"]["externalIstiod"] is True


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"mode": "dedicated"}, "remote"),
        ({"cluster_name": None}, "cluster_name"),
        ({"sizing": "S50P200"}, "remote"),
        ({"profile": "ambient"}, "remote"),
        ({"high_availability": True}, "remote"),
    ],
)
def test_what_a_remote_cluster_cannot_be_told(options: dict[str, Any], subject: str) -> None:
    with pytest.raises(ConflictingOptions) as refused:
        wanted(**{**SERVED, **options})
    assert refused.value.subject == subject


EXTERNAL = {"config_cluster": "east", "mode": "hosted", "cluster_name": "ops", "components": ["istiod"]}


def test_an_external_control_plane_bears_the_name_of_the_cluster_with_its_configuration() -> None:
    values = chart_values(wanted(**EXTERNAL, values={"istiod": {"env": {"A": "b"}}}), "istiod")
    assert values["global"]["multiCluster"] == {"clusterName": "east"}
    told = {name: values["global"][name] for name in ("externalIstiod", "operatorManageWebhooks", "configValidation")}
    assert told == {"externalIstiod": True, "operatorManageWebhooks": True, "configValidation": False}
    assert values["env"] == {"LOCAL_CLUSTER_SECRET_WATCHER": "true", "A": "b"}
    assert [found["configMap"]["name"] for found in values["volumes"]] == ["istio", "istio-sidecar-injector"]


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"mode": "dedicated"}, "config_cluster"),
        ({"remote": SERVED["remote"]}, "config_cluster"),
        ({"values": {"istiod": {"volumes": []}}}, "values.istiod.volumes"),
        ({"components": ["base", "istiod"]}, "components"),
    ],
)
def test_what_an_external_control_plane_cannot_be(options: dict[str, Any], subject: str) -> None:
    with pytest.raises(ConflictingOptions) as refused:
        wanted(**{**EXTERNAL, **options})
    assert refused.value.subject == subject
