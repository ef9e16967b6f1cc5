"""Manifests from the controller's files: from wherever Ansible finds them, whatever way the module runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.playbook import Result, Runner

pytestmark = pytest.mark.usefixtures("crds")
MODULE = "service_mesh.istio.config"
WAYS: dict[str, dict[str, Any]] = {"worker": {}, "elsewhere": {"vars": {"ansible_connection": "elsewhere"}}}
SECRET = "only-vault-knows"


def settings(namespace: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, **more}


def write(file: Path, *documents: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")


def task(name: str, src: Any, way: str = "worker", **more: Any) -> dict[str, Any]:
    return {"name": name, MODULE: {"src": src}, **WAYS[way], "ignore_errors": True, **more}


def names(result: Result) -> list[str]:
    assert result.status == "ok", result.data["msg"]
    return sorted(row["name"] for row in result.plan)


def by_task(runner: Runner, *tasks: dict[str, Any], **more: Any) -> dict[str, Result]:
    return {result.task.removeprefix("shop : "): result for result in runner.run(*tasks, **more).results}


@pytest.fixture
def found_everywhere(runner: Runner, namespace: str) -> Runner:
    """Files beside the playbook, in its `files`, and in those of a role with a task of its own."""
    folder = runner.folder
    write(folder / "beside.yaml", settings(namespace, "beside"), settings(namespace, "second"))
    write(folder / "files" / "routes" / "a.yaml", settings(namespace, "in-files"))
    items = {"apiVersion": "v1", "kind": "List", "items": [settings(namespace, "in-list")]}
    write(folder / "files" / "routes" / "team" / "b.yml", items)
    write(folder / "roles" / "shop" / "files" / "inside.yaml", settings(namespace, "in-role"))
    tasks = [task(f"role {way}", ["inside.yaml"], way) for way in WAYS]
    tasks += [
        task("role, its pattern", ["i*.yaml"]),
        task("role, pattern", ["bes*.yaml"]),
        task("role, all", ["*.yml"]),
    ]
    (folder / "roles" / "shop" / "tasks").mkdir()
    (folder / "roles" / "shop" / "tasks" / "main.yml").write_text(yaml.safe_dump(tasks), encoding="utf-8")
    return runner


def test_files_are_found_as_ansible_finds_files(found_everywhere: Runner) -> None:
    tasks = []
    for way in WAYS:
        tasks.append(task(f"file {way}", "beside.yaml", way))
        tasks.append(task(f"folder {way}", ["routes"], way))
        tasks.append(task(f"pattern {way}", ["routes/*/*.yml", str(found_everywhere.folder / "bes*.yaml")], way))
    tasks.append({"name": "the role", "ansible.builtin.include_role": {"name": "shop"}})
    results = by_task(found_everywhere, *tasks, arguments=["--check"])
    for way in WAYS:
        assert names(results[f"file {way}"]) == ["beside", "second"]
        assert names(results[f"folder {way}"]) == ["in-files", "in-list"]
        assert names(results[f"pattern {way}"]) == ["beside", "in-list", "second"]
        assert names(results[f"role {way}"]) == ["in-role"]
    assert names(results["role, its pattern"]) == ["in-role"]
    assert names(results["role, pattern"]) == ["beside", "second"]
    assert "roles/shop/tasks" not in results["role, all"].data["msg"]


def test_what_is_vaulted_is_applied_and_shown_nowhere(runner: Runner, namespace: str, cluster: Cluster) -> None:
    folder = runner.folder
    secret = {**settings(namespace, "vaulted", stringData={"key": SECRET}), "kind": "Secret"}
    write(folder / "vaulted.yaml", secret)
    (folder / "password").write_text("open", encoding="utf-8")
    vault = (Path(sys.executable).parent / "ansible-vault", "encrypt", "--vault-password-file", "password")
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    subprocess.run([*vault, "vaulted.yaml"], cwd=folder, check=True, capture_output=True, env=environment)
    tasks = [task(f"{way}", "vaulted.yaml", way) for way in WAYS]
    played = runner.run(*tasks, arguments=["--vault-password-file", "password", "--diff", "-vvv"])
    assert [(result.task, result.status, result.changed) for result in played.results] == [
        ("worker", "ok", True),
        ("elsewhere", "ok", False),
    ]
    assert cluster.get("secret", "vaulted", namespace)["data"]["key"] == "b25seS12YXVsdC1rbm93cw=="
    assert SECRET not in played.output
    assert SECRET not in str([result.data for result in played.results])
    closed = runner.run(task("closed", "vaulted.yaml"))
    assert "it is vaulted, and no secret given opens it" in closed.last.data["msg"]


BAD: dict[str, tuple[str | bytes, str]] = {
    "twice": (
        "kind: A\nspec:\n  a: 1\n  a: 2\n",
        "line 4 cannot be read: the key 'a' stands twice in one mapping, in line 3",
    ),
    "tab": ("kind: A\nspec:\n\ta: 1\n", "line 3 cannot be read: it is indented by a tab"),
    "binary": (b"\x7fELF\0\0", "it is binary, not text"),
    "latin": (b"a: \xe9", "line 1 cannot be read: it is not UTF-8"),
    "large": ("a" * 50_000_000, "it has 50.0 MB, and a file may have 5 MB"),
    "list": ("- kind: A\n", "document 1, line 1 is a list, not an object"),
    "nothing": ("kind: A\n", "document 1, line 1: apiVersion is missing"),
    "name": ("apiVersion: v1\nkind: A\nmetadata:\n  name: " + "a" * 254, "line 4: metadata.name has 254 characters"),
    "boolean": ("apiVersion: v1\nkind: A\nmetadata:\n  name: off\n", "but YAML reads off as the boolean false"),
    "label": (
        "apiVersion: v1\nkind: A\nmetadata: {name: a, labels: {v: 0.10}}",
        "reads 0.10 as the number 0.1: put it",
    ),
    "null": ("apiVersion: v1\nkind: A\nmetadata: {name: a}\nspec:\n  hosts:\n", "line 5: spec.hosts is null, which is"),
    "shape": ("apiVersion: v1\nkind: A\nmetadata: [a]\n", "line 3: metadata is a list, and a mapping belongs here"),
    "object": ("apiVersion: v1\nkind: A\nmetadata: {name: a}\nspec: {a: " + "a" * 1_100_000 + "}", "may have 1 MB"),
}


def test_bad_files_are_refused_before_anything_is_asked(runner: Runner, audit: Audit) -> None:
    """Each with its file, the same in the worker and in a module, and without one request."""
    for name, (content, _told) in BAD.items():
        data = content if isinstance(content, bytes) else content.encode()
        (runner.folder / f"{name}.yaml").write_bytes(data)
    mark = audit.mark()
    tasks = [task(f"{name} {way}", f"{name}.yaml", way) for name in BAD for way in WAYS]
    results = by_task(runner, *tasks, task("missing", "gone.yaml"))
    for name, (_content, told) in BAD.items():
        worker, elsewhere = (results[f"{name} {way}"] for way in WAYS)
        assert (worker.status, worker.data["failure"]) == ("ignored", elsewhere.data["failure"])
        assert f"{name}.yaml" in worker.data["msg"]
        assert told in worker.data["msg"]
    assert "'gone.yaml' is not found" in results["missing"].data["msg"]
    assert list(audit.requests(mark)) == []


@pytest.mark.parametrize("src", ["", [""], "{{ nobody_says | default('') }}"], ids=str)
def test_an_empty_entry_is_not_what_lies_beside_the_playbook(found_everywhere: Runner, src: Any) -> None:
    result = found_everywhere.run(task("blank", src), arguments=["--check"]).last
    assert "src[0] is empty" in result.data["msg"]
    assert "'src: []' says that no file is meant" in result.data["msg"]


def test_a_file_that_was_cut_short_prunes_nothing(runner: Runner, namespace: str, cluster: Cluster) -> None:
    """The members of its set stay, whichever way the module runs; an empty list takes them out."""
    of_set = {"set": "shop", "set_namespace": namespace, "prune": True}
    write(runner.folder / "full.yaml", settings(namespace, "member"))
    (runner.folder / "cut.yaml").write_text("---\n# routes\n", encoding="utf-8")
    tasks = [
        {"name": name, MODULE: {**of_set, **options}, "ignore_errors": True, **WAYS[way]}
        for name, options, way in (
            ("full", {"src": "full.yaml"}, "worker"),
            ("cut worker", {"src": "cut.yaml"}, "worker"),
            ("cut elsewhere", {"src": "cut.yaml"}, "elsewhere"),
            ("silent", {}, "worker"),
            ("on purpose, looked at", {"src": []}, "worker"),
        )
    ]
    tasks[-1]["check_mode"] = True
    results = by_task(runner, *tasks)
    for way in WAYS:
        assert "'cut.yaml' of 'src' holds no object" in results[f"cut {way}"].data["msg"]
    assert "would delete every member of the set 'shop'" in results["silent"].data["msg"]
    assert "member" in names(results["on purpose, looked at"])
    assert cluster.get("configmap", "member", namespace)["metadata"]["name"] == "member"
