"""Names of meshes, networks and clusters are judged before a cluster is asked for anything."""

from __future__ import annotations

import re

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.names import InvalidName, check_names
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.control_plane import CONTROL_PLANE
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.gateway_deployment import (
    GATEWAY_DEPLOYMENT,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.mesh_ca import MESH_CA
from ansible_collections.service_mesh.istio.plugins.module_utils.task.worker import validated

UNFIT = ("two words", "-begins", "ends.", "x" * 64, "größe", "a/b")


@pytest.mark.parametrize("name", [None, "", "a", "Shop_1.east-2", "x" * 63])
def test_names_that_fit(name: str | None) -> None:
    check_names(mesh_id=name, cluster_name=name, network=name)


@pytest.mark.parametrize("name", UNFIT)
@pytest.mark.parametrize("option", ["mesh_id", "cluster_name", "network"])
def test_names_that_do_not(option: str, name: str) -> None:
    with pytest.raises(InvalidName, match=re.escape(f"'{name}' cannot be the value of '{option}'")) as raised:
        check_names(**{option: name})
    assert ("mesh_cluster_name" in raised.value.hint) == (option == "cluster_name")


@pytest.mark.parametrize(
    ("operation", "options", "option"),
    [
        (CONTROL_PLANE, {"version": "1.29.1"}, "mesh_id"),
        (CONTROL_PLANE, {"version": "1.29.1"}, "cluster_name"),
        (CONTROL_PLANE, {"version": "1.29.1"}, "network"),
        (GATEWAY_DEPLOYMENT, {"version": "1.29.1", "name": "door", "namespace": "doors"}, "network"),
        (MESH_CA, {"cluster_name": "east", "root_file": "root.pem"}, "mesh_id"),
        (MESH_CA, {"root_file": "root.pem"}, "cluster_name"),
    ],
)
def test_who_writes_them_asks(operation: object, options: dict[str, str], option: str) -> None:
    with pytest.raises(InvalidName, match=f"the value of '{option}'"):
        operation.prepare(validated(operation, {**options, option: "two words"}))  # type: ignore[attr-defined,arg-type]
