"""Traps of running inside the controller's worker, one test each."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import pytest
from integration.support.bed import Cluster
from integration.support.playbook import PROGRAM, Runner

pytestmark = pytest.mark.usefixtures("crds")
MODULE = "service_mesh.istio.virtual_service"
SECRET = "seeded-vault-value"


def task(namespace: str, name: str = "subject", **more: Any) -> dict[str, Any]:
    return {"name": name, MODULE: {"name": name, "namespace": namespace, "hosts": [name], **more}}


def test_libraries_are_imported_once_before_the_fork(runner: Runner, namespace: str) -> None:
    """Every process tells its imports; on three hosts a library must appear once, in the parent."""
    played = runner.run(task(namespace, "{{ inventory_hostname }}"), hosts=3, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert [result.status for result in played.results] == ["ok"] * 3, played.output
    imports = [line for line in played.output.splitlines() if line.startswith("import time:")]
    names = [line.rpartition("|")[2].strip() for line in imports]
    assert names.count("urllib3") == 1
    # Of all that a task takes, these take longest, and hardly anybody needs them (`auth-provider`, a proxy).
    assert not {"kubernetes", "requests", "oauthlib", "pydantic"} & {*names}


def test_missing_library_says_so(runner: Runner, namespace: str) -> None:
    blocked = runner.folder / "blocked" / "urllib3"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('blocked by a test', name='urllib3')\n")
    played = runner.run(task(namespace), env={"PYTHONPATH": str(blocked.parent)})
    assert played.last.status == "failed"
    assert "The Python library 'urllib3' is missing" in played.last.data["msg"]
    assert "requirements.txt" in played.last.data["msg"]
    assert "Traceback" not in played.output


def test_environment_of_a_task_is_honoured(runner: Runner, cluster: Cluster, namespace: str) -> None:
    """And it is the task's alone."""
    unnamed = dataclasses.replace(runner, connection={})
    where = {"K8S_AUTH_KUBECONFIG": "{{ where }}"}
    tasks = [{**task(namespace, "first"), "environment": where}, {**task(namespace, "second"), "ignore_errors": True}]
    played = unnamed.run(*tasks, play={"vars": {"where": cluster.kubeconfig}})
    assert [result.status for result in played.results] == ["ok", "ignored"], played.output
    assert "No cluster is named" in played.last.data["msg"]


def test_vaulted_values_work(runner: Runner, cluster: Cluster, namespace: str) -> None:
    """As a credential by variable, and as a value inside an object in the task itself."""
    password = runner.folder / "password"
    password.write_text("a password of the vault")
    by_token = dataclasses.replace(runner, connection={})
    connection = {"host": cluster.server, "ca_cert": cluster.ca_file, "api_key": "{{ token }}"}
    metadata = {"name": "subject", "namespace": namespace}
    content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "{{ inner }}"}}
    (runner.folder / "vaulted.yml").write_text(
        _vaulted("token", cluster.token, password) + _vaulted("inner", SECRET, password)
    )
    played = by_token.run(
        {"name": "apply", "service_mesh.istio.config": {**connection, "objects": [content]}},
        play={"vars_files": ["vaulted.yml"]},
        arguments=["--vault-password-file", str(password)],
    )
    assert played.rc == 0, played.output
    assert cluster.get("configmap", "subject", namespace)["data"] == {"key": SECRET}


def _vaulted(name: str, value: str, password: Path) -> str:
    argv = [str(PROGRAM.with_name("ansible-vault")), "encrypt_string", "--vault-password-file", str(password)]
    return subprocess.run([*argv, "--name", name, value], capture_output=True, text=True, check=True).stdout


def test_tagged_types_reach_the_server_as_plain_data(runner: Runner, cluster: Cluster, namespace: str) -> None:
    """Templated numbers, booleans and nested structures keep their types."""
    http = [
        {
            "route": [{"destination": {"host": "{{ 'reviews' }}"}, "weight": "{{ heavy }}"}],
            "corsPolicy": {"allowCredentials": "{{ heavy > 50 }}"},
        }
    ]
    played = runner.run(task(namespace, http=http), play={"vars": {"heavy": 100}})
    assert played.rc == 0, played.output
    live = cluster.get("virtualservices.networking.istio.io", "subject", namespace)["spec"]["http"][0]
    assert (live["route"][0]["weight"], live["corsPolicy"]) == (100, {"allowCredentials": True})
