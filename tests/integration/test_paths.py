"""A task says the same whether it runs inside the controller's worker or as a module."""

from __future__ import annotations

from typing import Any

import pytest
from integration.support.playbook import Result, Runner

pytestmark = pytest.mark.usefixtures("crds")
MODULE = "service_mesh.istio.virtual_service"
SAME = ("changed", "plan", "summary", "diff", "requests")
ASYNC: dict[str, Any] = {"async": 60, "poll": 1}
WAYS: dict[str, dict[str, Any]] = {
    "worker": {},
    "async": ASYNC,
    "become": {"become": True, "become_method": "oneself"},
    "elsewhere": {"vars": {"ansible_connection": "elsewhere"}},
}


def task(name: str, options: dict[str, Any], way: str = "worker", **more: Any) -> dict[str, Any]:
    return {"name": name, MODULE: options, **WAYS[way], **more}


def test_all_ways_say_the_same(runner: Runner, namespace: str) -> None:
    wanted = {"name": "subject", "namespace": namespace, "hosts": ["reviews"], "labels": {"team": "shop"}}
    wrong = {**wanted, "http": [{"rout": []}]}
    tasks = []
    for way in WAYS:
        tasks.append(task(f"{way} does", wanted, way))
        tasks.append(task(f"{way} again", wanted, way))
        tasks.append(task(f"{way} fails", wrong, way, ignore_errors=True))
        tasks.append(task(f"{way} misspells", {**wanted, "hots": ["reviews"]}, way, ignore_errors=True))
        tasks.append(task("gone", {**wanted, "state": "absent"}))
    played = runner.run(*tasks, arguments=["--diff", "-vvv"])
    results = {result.task: result for result in played.results}
    assert played.rc == 0, played.output
    for way in WAYS:
        for act in ("does", "again"):
            assert said(results[f"{way} {act}"]) == said(results[f"worker {act}"])
        for act in ("fails", "misspells"):
            assert failed(results[f"{way} {act}"]) == failed(results[f"worker {act}"])
        # -vvv tells of every module that is handed over and started.
        assert ("AnsiballZ_virtual_service" in section(played.output, f"{way} does")) == (way != "worker")
    assert (results["worker does"].changed, results["worker again"].changed) == (True, False)
    assert results["worker misspells"].data["failure"]["code"] == "invalid_arguments"


def failed(result: Result) -> tuple[str, Any, Any]:
    return result.status, result.data.get("msg"), result.data.get("failure")


def section(output: str, name: str) -> str:
    return output.partition(f"TASK [{name}]")[2].partition("TASK [")[0]


def said(result: Result) -> dict[str, Any]:
    return {key: result.data.get(key) for key in SAME}


def test_background_task_is_fetched_later(runner: Runner, namespace: str) -> None:
    wanted = {"name": "subject", "namespace": namespace, "hosts": ["reviews"]}
    start = {"name": "start", MODULE: wanted, "async": 60, "poll": 0, "register": "job"}
    fetch = {
        "name": "fetch",
        "ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"},
        "register": "status",
        "until": "status is finished",
        "delay": 1,
        "retries": 30,
    }
    played = runner.run(start, fetch)
    assert played.last.data["summary"] == {"create": 1, "update": 0, "delete": 0, "unchanged": 0}, played.output
