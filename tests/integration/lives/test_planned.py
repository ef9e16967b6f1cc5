"""Check mode on an empty cluster: later tasks plan on what earlier ones would create, and on nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import install_crds
from integration.support.audit import Audit
from integration.support.bed import ISTIO, Cluster
from integration.support.playbook import Played, Runner

CACHE = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": "facts"}


@pytest.fixture
def empty(cluster: Cluster, crds: Path) -> Iterator[None]:
    """No CRD of Istio is installed; they come back for the other tests."""
    cluster.kubectl("delete", "-f", str(crds))
    yield
    install_crds(cluster, crds)


@pytest.fixture
def tasks(cluster: Cluster, charts: Path, new_namespace: str) -> dict[str, dict[str, Any]]:
    """The tasks that make a first mesh, by name."""
    root, web = f"{new_namespace}-root", new_namespace
    source = {"version": ISTIO, "charts": {"directory": str(charts)}, "helm_binary": str(cluster.bin / "helm")}
    route = [{"destination": {"host": "reviews"}, "weight": 100}]
    virtual_service = {"name": "reviews", "namespace": web, "hosts": ["reviews"]}
    strict = [{"name": "default", "namespace": web, "mtls": {"mode": "STRICT"}}]
    options: dict[str, tuple[str, dict[str, Any]]] = {
        "install": ("control_plane", {**source, "namespace": root}),
        "inject": ("injection", {"namespaces": [{"name": web, "create": True}]}),
        "gateway": ("gateway_deployment", {**source, "name": "ingress", "namespace": f"{web}-ingress"}),
        "configure": (
            "config",
            {"virtual_services": [{**virtual_service, "http": [{"route": route}]}], "peer_authentications": strict},
        ),
        "misspell": ("virtual_service", {**virtual_service, "http": [{"rout": route}]}),
        "elsewhere": ("virtual_service", {**virtual_service, "namespace": "nowhere"}),
    }
    return {
        name: {"name": name, f"service_mesh.istio.{module}": given, "ignore_errors": True}
        for name, (module, given) in options.items()
    }


def codes(played: Played) -> dict[str, str]:
    """What became of each task: changed or not, or the code of its failure."""
    return {
        result.task: str(result.changed) if result.status == "ok" else str(result.data.get("failure", {}).get("code"))
        for result in played.results
    }


@pytest.mark.usefixtures("empty")
def test_whole_mesh_is_planned_on_an_empty_cluster(
    runner: Runner, tasks: dict[str, dict[str, Any]], audit: Audit, new_namespace: str
) -> None:
    mark = audit.mark()
    played = runner.run(*tasks.values(), arguments=["--check", "--diff"])
    planned = dict.fromkeys(("install", "inject", "gateway", "configure"), "True")
    assert codes(played) == {**planned, "misspell": "invalid", "elsewhere": "not_found"}, played.output
    messages = {result.task: result.data["msg"] for result in played.results if result.status == "ignored"}
    assert "unknown field 'spec.http[0].rout' (did you mean 'route'?)" in messages["misspell"]
    assert "nowhere" in messages["elsewhere"]
    reasons = [row["reason"] for result in played.results if result.task == "configure" for row in result.plan]
    assert reasons == [f"not verified by the server: namespace {new_namespace} is only planned"] * 2
    assert audit.persisted(mark) == []


@pytest.mark.usefixtures("empty")
def test_without_a_plan_what_is_missing_is_an_error(
    runner: Runner, tasks: dict[str, dict[str, Any]], audit: Audit
) -> None:
    """Also where a cache has kept the facts of an earlier check: neither a check nor a run may believe them."""
    mark = audit.mark()
    runner.run(tasks["install"], tasks["inject"], arguments=["--check"], env=CACHE)
    assert codes(runner.run(tasks["configure"], env=CACHE)) == {"configure": "unknown_kind"}
    assert codes(runner.run(tasks["configure"], arguments=["--check"], env=CACHE)) == {"configure": "unknown_kind"}
    assert audit.persisted(mark) == []


@pytest.mark.usefixtures("crds")
def test_planned_namespace_on_a_cluster_with_istio(
    runner: Runner, tasks: dict[str, dict[str, Any]], audit: Audit
) -> None:
    mark = audit.mark()
    played = runner.run(*(tasks[name] for name in ("inject", "configure", "misspell")), arguments=["--check"])
    assert codes(played) == {"inject": "True", "configure": "True", "misspell": "invalid"}, played.output
    assert audit.persisted(mark) == []


def widget_crd(group: str, **fields: str) -> dict[str, Any]:
    """A CRD whose objects have some fields, each of a type."""
    spec = {"type": "object", "properties": {name: {"type": kind} for name, kind in fields.items()}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


@pytest.fixture
def group(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A group whose one CRD knows only colours."""
    group = f"{namespace}.example.com"
    crd = widget_crd(group, colour="string")
    cluster.apply(crd)
    cluster.kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}")
    yield group
    cluster.kubectl("delete", "crd", f"widgets.{group}")


def test_objects_of_a_crd_that_is_about_to_change(runner: Runner, audit: Audit, namespace: str, group: str) -> None:
    """They are planned by the schema that is coming, in later tasks and in the same one; a run asks the server."""

    def configure(name: str, *objects: dict[str, Any]) -> dict[str, Any]:
        options = {"objects": list(objects), "take_ownership_from": ["kubectl"]}
        return {"name": name, "service_mesh.istio.config": options, "ignore_errors": True}

    def widget(name: str, **spec: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": metadata, "spec": spec}

    newer = widget_crd(group, colour="string", size="integer")
    old, new = widget("old", colour="red"), widget("new", colour="red", size=1)
    runner.run(configure("before", old))
    mark = audit.mark()
    old["spec"]["size"] = 2
    tasks = [configure("crd", newer), configure("later", old, new), configure("wrong", widget("new", sise=1))]
    played = runner.run(*tasks, arguments=["--check", "--diff"])
    assert codes(played) == {"crd": "True", "later": "True", "wrong": "invalid"}, played.output
    rows = [(row["action"], row["name"], row["fields"], row["reason"]) for row in played.results[1].plan]
    reason = "not verified by the server: the new CRD of Widget is only planned"
    assert rows == [("create", "new", [], reason), ("update", "old", ["spec.size"], reason)]
    assert codes(runner.run(configure("alone", new))) == {"alone": "invalid"}
    assert audit.persisted(mark) == []
    played = runner.run(configure("together", newer, old, new), configure("again", newer, old, new))
    assert codes(played) == {"together": "True", "again": "False"}, played.output
