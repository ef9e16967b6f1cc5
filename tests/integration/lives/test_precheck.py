"""Prechecks against a real API server: real objects, real permissions, and nothing written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.prechecks import PrecheckFailed
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.releases import NEWEST, RELEASES
from integration.support.bed import Cluster
from integration.support.mesh import Mesh, mesh
from integration.support.operations import Operations
from integration.support.playbook import Runner
from unit.support.certificates import certificate, encoded

pytestmark = pytest.mark.usefixtures("crds", "nothing_persisted")
KEY = "correct-horse-battery-staple"
VERSION = RELEASES[NEWEST].last_patch


@pytest.fixture
def own(cluster: Cluster, namespace: str) -> Iterator[Mesh]:
    with mesh(cluster, namespace) as found:
        yield found


def asked(own: Mesh, operation: str, version: str = VERSION, **more: Any) -> dict[str, Any]:
    return {"operation": operation, "version": version, "revision": own.revision, "namespace": own.namespace, **more}


def refused(operations: Operations, options: dict[str, Any]) -> dict[str, Any]:
    """The blockers, which are the same in check mode."""
    found = []
    for check in (True, False):
        with pytest.raises(PrecheckFailed) as raised:
            operations.run("precheck", options, check=check)
        found.append({entry["code"]: entry for entry in raised.value.extra["precheck"]["blockers"]})
    assert found[0] == found[1]
    return found[0]


def test_a_cluster_that_is_ready(own: Mesh, operations: Operations) -> None:
    result = operations.run("precheck", asked(own, "install"))
    assert (result["changed"], result["precheck"]["blockers"]) == (False, [])
    assert (result["precheck"]["strategy"], result["precheck"]["operation"]) == ("revision", "install")


def test_a_step_that_is_too_far_and_the_way_that_works(own: Mesh, operations: Operations) -> None:
    own.istiod("1.28.3")
    found = refused(operations, asked(own, "upgrade", "1.31.1"))
    assert found["skipped_minor"]["count"] == 1
    assert "The way is 1.28.3 -> 1.29.9 -> 1.30.7 -> 1.31.1" in found["skipped_minor"]["objects"][0]
    told = operations.run("precheck", asked(own, "upgrade", "1.31.1", ignore_checks=["skipped_minor"]))["precheck"]
    assert told["installed"] == ["1.28.3"]
    assert "skipped_minor" in [entry["code"] for entry in told["warnings"]]


def test_all_that_is_wrong_comes_at_once(own: Mesh, operations: Operations) -> None:
    own.istiod("1.30.3")
    own.injector()
    own.pod("newer", "1.31.1")
    limit = {"type": "Container", "max": {"memory": "16Mi"}}
    own.apply("v1", "LimitRange", "small", spec={"limits": [limit]})
    own.label(revision=own.revision)
    wanted = asked(own, "install", "1.30.7", image_hub="registry.istio.io/release")
    found = refused(operations, wanted)
    assert set(found) == {"limit_range", "proxy_skew"}
    assert found["proxy_skew"]["objects"][0].startswith(f"Pod {own.namespace}/newer: its proxy is 1.31.1")
    told = operations.run("precheck", {**wanted, "ignore_checks": list(found)})
    codes = {entry["code"] for entry in told["precheck"]["warnings"]}
    assert {"limit_range", "proxy_skew", "image_host_ends"} <= codes
    assert any("[limit_range]" in warning for warning in told["warnings"])


def test_a_webhook_that_points_nowhere(own: Mesh, operations: Operations) -> None:
    """It fails closed, but matches a namespace that nobody has."""
    own.istiod("1.30.7")
    own.injector(tag=f"nobody-{own.namespace}", policy="Fail")
    found = refused(operations, {**asked(own, "install"), "revision": "another"})
    assert f"calls the Service {own.namespace}/istiod-{own.revision}" in found["webhook_without_service"]["objects"][0]


def test_a_revision_that_is_used_may_not_go(own: Mesh, operations: Operations) -> None:
    own.istiod("1.30.7")
    own.injector()
    own.pod("a", "1.30.7")
    own.label(revision=own.revision)
    found = refused(operations, {**asked(own, "uninstall"), "version": None})
    assert set(found) == {"sidecars_left", "revision_in_use"}
    assert found["sidecars_left"]["objects"] == [
        f"Pod {own.namespace}/a: it has a proxy: switch injection off and restart its workload first"
    ]
    assert found["revision_in_use"]["objects"][0].startswith(f"Namespace {own.namespace}: ")


def test_one_that_is_not_used_may(own: Mesh, operations: Operations) -> None:
    own.istiod("1.30.7")
    own.injector()
    assert operations.run("precheck", asked(own, "uninstall"))["precheck"]["blockers"] == []


def test_of_an_authority_nothing_but_the_end_is_told(own: Mesh, operations: Operations) -> None:
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    data = {"root-cert.pem": encoded(certificate(yesterday)), "ca-key.pem": encoded(KEY)}
    own.apply("v1", "Secret", "cacerts", data=data)
    with pytest.raises(PrecheckFailed) as raised:
        operations.run("precheck", asked(own, "install"))
    (blocker,) = raised.value.extra["precheck"]["blockers"]
    assert blocker["objects"][0].startswith(
        f"Secret {own.namespace}/cacerts (root-cert.pem): a certificate in it has expired"
    )
    told = str(raised.value) + json.dumps(raised.value.extra)
    assert [text for text in (KEY, *data.values()) if text in told] == []


class TestPermissions:
    """What the user of the connection may do and see."""

    @pytest.fixture
    def nobody(self, cluster: Cluster, namespace: str) -> Operations:
        """A user who may see nothing but the version."""
        return Operations({"kubeconfig": cluster.kubeconfig, "impersonate_user": f"nobody-{namespace}"})

    def test_what_is_missing_is_named(self, own: Mesh, nobody: Operations) -> None:
        found = refused(nobody, asked(own, "install"))
        assert list(found) == ["permission_missing"]
        said = found["permission_missing"]["objects"]
        assert any(text.startswith("deployments.apps: the user may not get, create, patch them") for text in said)

    def test_what_may_not_be_read_is_a_warning(self, own: Mesh, nobody: Operations) -> None:
        result = nobody.run("precheck", asked(own, "install", ignore_checks=["permission_missing"]))
        warnings = {entry["code"]: entry for entry in result["precheck"]["warnings"]}
        assert "skipped_minor" in warnings["not_readable"]["reason"]
        assert any(text.startswith("'list' on deployments: ") for text in warnings["not_readable"]["objects"])


@pytest.mark.parametrize("way", [{}, {"async": 60, "poll": 1}], ids=["worker", "module"])
def test_a_playbook_sees_the_blockers(own: Mesh, runner: Runner, way: dict[str, int]) -> None:
    own.istiod("1.28.3")
    task = {"name": "Ready", "service_mesh.istio.precheck": asked(own, "upgrade", "1.31.1")}
    played = runner.run({**task, **way})
    assert played.rc == 2
    assert "is not ready for the upgrade of Istio 1.31.1" in played.output
    assert played.last.data["failure"]["code"] == "precheck_failed"
    assert [entry["code"] for entry in played.last.data["precheck"]["blockers"]] == ["skipped_minor"]
