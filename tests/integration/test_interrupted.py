"""A worker outlives a killed playbook: it writes nothing more, and the next run finishes what was begun."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.playbook import Runner
from integration.support.servers import slow_proxy

pytestmark = pytest.mark.usefixtures("crds")
MANY = 60
SIDE_BY_SIDE = 4  # writes of one rank (reconcile/parallel.py)
VIRTUAL_SERVICES = "virtualservices.networking.istio.io"


@pytest.fixture
def slowly(runner: Runner, cluster: Cluster, tmp_path: Path) -> Iterator[Runner]:
    """Playbooks whose way to the server takes a moment for every request."""
    with slow_proxy(cluster.server, 0.02) as port:
        content = yaml.safe_load(Path(cluster.kubeconfig).read_text(encoding="utf-8"))
        content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(content), encoding="utf-8")
        yield dataclasses.replace(runner, connection={"kubeconfig": str(tmp_path / "kubeconfig")})


def many(namespace: str) -> dict[str, Any]:
    rows = [{"name": f"many-{number}", "namespace": namespace, "hosts": [f"many-{number}"]} for number in range(MANY)]
    return {"name": "many", "service_mesh.istio.config": {"virtual_services": rows}}


def wait_for(audit: Audit, mark: int, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(audit.persisted(mark)) < count:
        assert time.monotonic() < deadline, "the run has not come to its writes"
        time.sleep(0.02)


def test_killed_playbook_stops_writing_and_the_next_run_converges(
    slowly: Runner, runner: Runner, cluster: Cluster, namespace: str, audit: Audit
) -> None:
    mark = audit.mark()
    process = slowly.start(many(namespace))
    wait_for(audit, mark, 3)
    process.kill()
    process.wait()
    written = len(audit.persisted(mark))
    time.sleep(1.5)
    assert len(audit.persisted(mark)) <= written + SIDE_BY_SIDE, "only what was under way may still be written"
    assert 3 <= len(cluster.names(VIRTUAL_SERVICES, namespace)) < MANY
    again = runner.run(many(namespace), many(namespace))
    assert again.rc == 0, again.output
    done, nothing = again.results
    assert done.data["summary"]["create"] + done.data["summary"]["unchanged"] == MANY
    assert (done.changed, nothing.changed) == (True, False)
    assert len(cluster.names(VIRTUAL_SERVICES, namespace)) == MANY
