"""Seeded secrets appear nowhere: not with -vvv, not in results and diffs, not in files, not when tasks fail."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.support.bed import Cluster
from integration.support.playbook import Runner
from integration.support.secrets import contents, files, traces

WAYS: dict[str, dict[str, Any]] = {"worker": {}, "module": {"vars": {"ansible_connection": "elsewhere"}}}
BACKGROUND: dict[str, Any] = {"async": 60, "poll": 1}
DATA, PASSWORD, WRONG = "seeded-secret-data", "seeded-basic-password", "seeded-wrong-token"
KUBECONFIG = "{{ lookup('file', origin) | from_yaml }}"


def env(name: str) -> str:
    """What is seeded stands in no file of the test."""
    return f"{{{{ lookup('env', '{name}') }}}}"


@pytest.fixture
def tasks(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    """Every way in which a secret gets into a task, in tasks that work and tasks that fail."""
    metadata = {"name": "subject", "namespace": namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": env("DATA")}}
    nested = {**secret, "stringData": {"key": {"inner": env("DATA")}}}
    drifted = {**secret, "stringData": {"key": env("DATA") + "-two"}, "metadata": {**metadata, "name": "theirs"}}
    theirs = {"objects": [drifted], "take_ownership_from": ["kubectl-client-side-apply"]}
    server = {"host": cluster.server, "ca_cert": cluster.ca_file}
    return [
        {"kubeconfig": KUBECONFIG, "objects": [secret]},
        {"kubeconfig": KUBECONFIG, **theirs},
        {"kubeconfig": KUBECONFIG, "objects": [nested]},
        {"kubeconfig": KUBECONFIG, "context": "nowhere", "objects": [secret]},
        {**server, "api_key": env("TOKEN"), "objects": [secret]},
        {**server, "api_key": env("WRONG"), "objects": [secret]},
        {**server, "api_key": env("WRONG") + "\n", "objects": [secret]},
        {**server, "api_key": env("WRONG") + "Ж", "objects": [secret]},
        {**server, "username": "admin", "password": env("PASSWORD"), "objects": [secret]},
        {**server, "api_key": env("TOKEN"), "objects": [secret], "misspelt": 1},
    ]


@pytest.mark.parametrize("way", WAYS)
def test_nothing_shows_a_secret(
    way: str, tasks: list[dict[str, Any]], runner: Runner, cluster: Cluster, namespace: str
) -> None:
    user = yaml.safe_load(Path(cluster.kubeconfig).read_text(encoding="utf-8"))["users"][0]["user"]
    seeded = {"TOKEN": cluster.token, "DATA": DATA, "PASSWORD": PASSWORD, "WRONG": WRONG}
    _made_by_kubectl(cluster, namespace)
    temporary = set(Path(tempfile.gettempdir()).iterdir())
    ways = [WAYS[way]] * len(tasks) if way == "worker" else [WAYS[way]] * (len(tasks) - 2) + [BACKGROUND] * 2
    played = dataclasses.replace(runner, connection={}).run(
        *(
            {"name": f"task {number}", "service_mesh.istio.config": task, **how, "ignore_errors": True}
            for number, (task, how) in enumerate(zip(tasks, ways, strict=True))
        ),
        arguments=["-vvv", "--diff"],
        play={"vars": {"origin": cluster.kubeconfig}},
        env=seeded,
    )
    statuses = [result.status for result in played.results]
    assert statuses == ["ok"] * 2 + ["ignored"] * 2 + ["ok"] + ["ignored"] * 5, played.output
    _wait_for_the_background(runner.folder / "remote")
    new = [path for path in Path(tempfile.gettempdir()).iterdir() if path not in temporary]
    found = contents(files(runner.folder, *(path for path in new if path.is_dir() and "pytest" not in path.name)))
    texts = {"output": played.output, **found}
    assert traces([*seeded.values(), user["client-key-data"]], texts) == []
    left = [str(path) for path in (runner.folder / "tmp").iterdir()]
    assert left == [], "temporary files stay behind"


def _wait_for_the_background(folder: Path) -> None:
    """Ansible's own wrapper of background tasks clears up a moment after they are over."""
    for _ in range(50):
        if not folder.exists() or not any(folder.iterdir()):
            return
        time.sleep(0.1)


def _made_by_kubectl(cluster: Cluster, namespace: str) -> None:
    """kubectl keeps what it applied, Secret data too, in an annotation."""
    metadata = {"name": "theirs", "namespace": namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": DATA}}
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(secret))
