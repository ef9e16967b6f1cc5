"""The action plugin, run by the core itself: every module goes through it, and no cluster is needed to see that.

One playbook asks everything and leaves the results in a file. Every task ends before a server is asked. Its hosts
have no Python: whatever answers has run inside the worker.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS

ROOT = Path(__file__).resolve().parents[4]
PYTHON = "ansible_python_interpreter"
COLLECTION = "service_mesh.istio"
NEEDED: dict[str, dict[str, Any]] = {
    # Of an object that shall be absent, no kind asks for more than its name.
    **{kind.name: {"name": "a", "namespace": "web", "state": "absent"} for kind in KINDS},
    "config": {"objects": []},
    "config_info": {},
    "connectivity_probe": {"cluster_name": "east", "state": "absent"},
    "control_plane": {"version": "1.29.1"},
    "gateway_deployment": {"name": "a", "namespace": "web", "version": "1.29.1"},
    "injection": {"namespaces": [{"name": "web"}]},
    "injection_info": {},
    "mesh_ca": {"cluster_name": "east", "root_file": "root.pem"},
    "mesh_info": {},
    "precheck": {"operation": "leave"},
    "remote_cluster": {"cluster_name": "west", "primary": "east", "unreachable": True, "state": "absent"},
    "revision_tag": {"tag": "prod", "state": "absent"},
    "proxy_log_level": {"namespace": "web", "level": "debug", "pods": ["a"]},
    "sidecar_rollout": {},
    "upgrade": {"phase": "rollback"},
}
KUBECONFIG = {"contexts": [{"name": "east", "context": {}}, {"name": "west", "context": {}}]}
TEMPLATED = {"contexts": [{"name": "{{ 'ea' ~ 'st' }}", "context": {}}]}
OPTIONAL = {
    "host": "{{ address | default(omit) }}",
    "api_key": "{{ nowhere | default(omit) }}",
    "context": "{{ empty or omit }}",
}
UNTRUSTED = "{{ lookup('ansible.builtin.env', 'ASKED') | from_json }}"
UNNAMED = "No cluster is named: none of 'host', 'kubeconfig' and 'context' is given"


def task(result: str, module: str, arguments: dict[str, Any] | str, **more: Any) -> dict[str, Any]:
    return {f"{COLLECTION}.{module}": arguments, "register": result, "ignore_errors": True, **more}


def playbook(answers: Path) -> list[dict[str, Any]]:
    unnamed = [task(f"unnamed_{module}", module, arguments) for module, arguments in NEEDED.items()]
    grouped = [task(f"grouped_{module}", module, arguments) for module, arguments in NEEDED.items()]
    single = [
        task("by_environment", "mesh_info", {}, environment={"K8S_AUTH_HOST": "{{ 'not' ~ '-a-url' }}"}),
        task("misspelt", "gateway", {"name": "a", "namespace": "web", "serverz": []}),
        task("templated", "mesh_info", {"kubeconfig": KUBECONFIG, "context": "{{ 'nor' ~ 'th' }}"}),
        task("known", "mesh_info", {"kubeconfig": "{{ clusters }}", "context": "north"}, vars={"clusters": KUBECONFIG}),
        task("within", "mesh_info", {"kubeconfig": "{{ clusters }}", "context": "north"}, vars={"clusters": TEMPLATED}),
        task("again", "gateway", {"name": "a", "serverz": []}, retries=1, delay=0, until="again.failed is undefined"),
        task("optional", "mesh_info", OPTIONAL, vars={"address": "plain-address", "empty": ""}),
        task("undefined", "mesh_info", {"host": "{{ nowhere or omit }}"}),
        task("untrusted", "mesh_info", "{{ asked }}", vars={"asked": UNTRUSTED, "word": "geheim"}),
        task("as_module", "mesh_info", {}, vars={PYTHON: sys.executable}, **{"async": 60, "poll": 1}),
    ]
    names = [*(entry["register"] for entry in [*unnamed, *single, *grouped])]
    content = "{{ {" + ", ".join(f"'{name}': {name}" for name in names) + "} | to_json }}"
    write = {
        "ansible.builtin.copy": {"content": content, "dest": str(answers), "mode": "0600"},
        "vars": {PYTHON: sys.executable},
    }
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": {PYTHON: "/nowhere/python"}}
    defaults = {f"group/{COLLECTION}.all": {"host": "group-says-so"}}
    return [
        {**play, "tasks": [*unnamed, *single]},
        {**play, "module_defaults": defaults, "tasks": [*grouped, write]},
    ]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("play")
    path = folder / "answers.json"
    (folder / "play.yml").write_text(yaml.safe_dump(playbook(path), sort_keys=False))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ASKED": '{"host": "{{ word }}"}',
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv" / "collections"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_ASYNC_DIR": str(folder / "async"),
    }
    command = [sys.executable, "-m", "ansible", "playbook", "play.yml"]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_every_module_is_asked() -> None:
    assert sorted(NEEDED) == sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))


@pytest.mark.parametrize("module", NEEDED)
def test_no_module_takes_a_cluster_that_nobody_named(answers: dict[str, Any], module: str) -> None:
    result = answers[f"unnamed_{module}"]
    assert result["msg"].startswith(UNNAMED)
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["failure"]["code"] == "connection_options"


@pytest.mark.parametrize("module", NEEDED)
def test_the_group_sets_the_connection_of_every_module(answers: dict[str, Any], module: str) -> None:
    assert "'group-says-so' is not the URL of an API server" in answers[f"grouped_{module}"]["msg"]


def test_the_environment_of_a_task_reaches_the_worker(answers: dict[str, Any]) -> None:
    assert "'not-a-url' is not the URL of an API server" in answers["by_environment"]["msg"]


def test_a_misspelt_option_is_answered_with_the_right_one(answers: dict[str, Any]) -> None:
    assert "unknown option 'serverz' (did you mean 'servers'?)" in answers["misspelt"]["msg"]


def test_a_task_that_is_tried_again_has_its_arguments_still(answers: dict[str, Any]) -> None:
    assert answers["again"]["attempts"] == 1
    assert "unknown option 'serverz'" in answers["again"]["msg"]


def test_options_may_be_left_out_by_templates(answers: dict[str, Any]) -> None:
    assert "'plain-address' is not the URL of an API server" in answers["optional"]["msg"]
    assert "nowhere" in answers["undefined"]["msg"]


def test_what_looks_like_a_template_in_an_answer_is_none(answers: dict[str, Any]) -> None:
    assert "'{{ word }}' is not the URL of an API server" in answers["untrusted"]["msg"]
    assert "geheim" not in json.dumps(answers["untrusted"])


def test_arguments_are_templated(answers: dict[str, Any]) -> None:
    assert "has no context 'north': it has the contexts east, west" in answers["templated"]["msg"]


def test_a_variable_is_taken_as_it_is_and_templated_where_it_has_templates(answers: dict[str, Any]) -> None:
    assert "has no context 'north': it has the contexts east, west" in answers["known"]["msg"]
    assert "has no context 'north': it has the contexts east" in answers["within"]["msg"]


def test_a_module_of_its_own_says_the_same(answers: dict[str, Any]) -> None:
    """`async` takes the way of an ordinary module."""
    worker, own = answers["unnamed_mesh_info"], answers["as_module"]
    assert own["finished"]
    assert [own[key] for key in ("msg", "failure", "changed")] == [worker[key] for key in ("msg", "failure", "changed")]
