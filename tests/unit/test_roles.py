"""Variables of roles, as Ansible itself works them out for an inventory: no cluster is needed to see that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operation import Operation
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.config import CONFIG
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.injection import INJECTION

ROOT = Path(__file__).resolve().parents[2]
ADDRESSES = [{"address": "203.0.113.1"}, {"address": "203.0.113.2"}, {"address": "203.0.113.3"}]
DOOR = {"name": "door", "namespace": "doors", "type": "eastwest"}
INGRESS = {"name": "door", "namespace": "web", "labels": {"istio": "ingress"}}
GONE = {**DOOR, "name": "istio-old", "state": "absent", "labels": {"istio": "old"}}
GROUP = {"mesh_gateways_instances": [DOOR], "mesh_gateways_values": {"labels": {"istio": "group"}}}
HOSTS: dict[str, dict[str, Any]] = {
    "east": {
        "mesh_name": "shop",
        "mesh_network": 1,
        "mesh_clusters_gateway_addresses": ADDRESSES[:1],
        "mesh_gateways_instances": [DOOR, INGRESS, GONE, {**DOOR, "name": "istio-inner"}],
    },
    "west": {
        "mesh_name": "shop",
        "mesh_network": 2,
        "mesh_clusters_gateway_addresses": ADDRESSES[1:2],
        "mesh_gateways_instances": [{**DOOR, "labels": {"istio": "west-door"}}],
    },
    "test-east": {"mesh_name": "test", "mesh_network": 1, "mesh_cluster_name": "east", **GROUP},
    "test-west": {
        "mesh_name": "test",
        "mesh_network": 2,
        "mesh_clusters_gateway_addresses": ADDRESSES[2:],
        "mesh_gateways_instances": [{**DOOR, "values": {"labels": {"istio": 1}}, "labels": {"istio": "said"}}],
    },
    "unnamed": {"mesh_cluster_name": "", "mesh_name": None, "mesh_gateways_instances": None},
}
ASKED = (
    "mesh_control_plane_hosts",
    "mesh_control_plane_networks",
    "mesh_clusters_name",
    "mesh_clusters_asked",
    "mesh_clusters_members",
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each host has in each variable."""
    folder = tmp_path_factory.mktemp("roles")
    common = {"ansible_connection": "local", "mesh_clusters_join": True, "mesh_clusters_groups": [["1", "2"]]}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": HOSTS, "vars": common}}))
    defaults = {"mesh_clusters_hosts": "{{ ansible_play_hosts_all }}"}
    files = [f"{ROOT}/roles/{role}/vars/main.yml" for role in ("mesh_common", "mesh_control_plane", "mesh_clusters")]
    answer = "{{ {" + ", ".join(f"'{name}': {name}" for name in ASKED) + "} | to_json }}"
    task = {
        "ansible.builtin.copy": {
            "content": answer,
            "dest": f"{folder}/{{{{ inventory_hostname }}}}.json",
            "mode": "0600",
        }
    }
    python = {"ansible_python_interpreter": sys.executable}
    play = {"hosts": "all", "gather_facts": False, "vars_files": files, "vars": {**python, **defaults}, "tasks": [task]}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv" / "collections"),
        "ANSIBLE_HOME": str(folder / "ansible"),
    }
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", "play.yml"]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return {host: json.loads((folder / f"{host}.json").read_text()) for host in HOSTS}


@pytest.mark.parametrize(("role", "operation"), [("mesh_config", CONFIG), ("mesh_injection", INJECTION)])
def test_the_module_judges_every_variable_of_its_role(role: str, operation: Operation[Any]) -> None:
    """The playbook mesh leaves the role's own judgement out."""
    variables = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
    (task,) = yaml.safe_load((ROOT / "roles" / role / "tasks" / "main.yml").read_text())
    given = task[f"service_mesh.istio.{operation.name}"]
    for name, variable in variables["argument_specs"]["main"]["options"].items():
        option = name.removeprefix(f"{role}_")
        assert f"{{{{ {name} " in given[option]
        _is_contained(variable, operation.spec.options[option])


def _is_contained(variable: dict[str, Any], option: Mapping[str, Any]) -> None:
    for rule in ("type", "elements", "choices", "required"):
        assert variable.get(rule, option.get(rule)) == option.get(rule), rule
    for name, inner in (variable.get("options") or {}).items():
        _is_contained(inner, option["options"][name])


def test_a_control_plane_is_told_of_its_own_mesh_alone(told: dict[str, dict[str, Any]]) -> None:
    hosts = {host: its["mesh_control_plane_hosts"] for host, its in told.items()}
    shop, test = ["east", "west"], ["test-east", "test-west"]
    assert hosts == {"east": shop, "west": shop, "test-east": test, "test-west": test, "unnamed": ["unnamed"]}
    networks = told["east"]["mesh_control_plane_networks"]["istiod"]["global"]["meshNetworks"]
    assert networks == {
        str(number): {
            "endpoints": [{"fromRegistry": host}],
            "gateways": [{"address": f"203.0.113.{number}", "port": 15443}],
        }
        for number, host in enumerate(shop, 1)
    }
    theirs = told["test-east"]["mesh_control_plane_networks"]["istiod"]["global"]["meshNetworks"]
    assert [row["address"] for row in theirs["2"]["gateways"]] == ["203.0.113.3"]


def test_a_cluster_asks_those_of_its_own_mesh_and_group(told: dict[str, dict[str, Any]]) -> None:
    asked = {host: [other["name"] for other in its["mesh_clusters_asked"]] for host, its in told.items()}
    theirs = ["east", "test-west"]
    assert asked == {
        "east": ["east", "west"],
        "west": ["east", "west"],
        "test-east": theirs,
        "test-west": theirs,
        "unnamed": ["unnamed"],
    }


def test_a_gateway_has_the_label_that_its_chart_makes(told: dict[str, dict[str, Any]]) -> None:
    """Values have the last word; a number is text, as in the chart."""
    gateways = {one["host"]: one["gateways"] for one in told["east"]["mesh_clusters_members"]}
    shop = {"east": {"door": "door", "istio-inner": "inner"}, "west": {"door": "west-door"}}
    assert gateways == {**shop, "test-east": {"door": "group"}, "test-west": {"door": "1"}, "unnamed": {}}


def test_a_cluster_without_a_name_has_none(told: dict[str, dict[str, Any]]) -> None:
    """As those that were installed without one; a mesh of several clusters refuses it."""
    names = {host: its["mesh_clusters_name"] for host, its in told.items()}
    assert names == {**{host: host for host in HOSTS}, "test-east": "east", "unnamed": ""}
