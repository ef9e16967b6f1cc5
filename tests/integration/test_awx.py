"""mesh.yml as AWX runs it: through ansible-runner, with the environment of AWX's Kubernetes credential.

The mesh is an external one, which needs no nodes: its injection, configuration and status are all of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner  # type: ignore[import-untyped]
import pytest
import yaml
from integration.support.audit import Audit
from integration.support.bed import ROOT, Cluster
from integration.support.secrets import contents, files, traces
from integration.support.servers import slow_proxy

pytestmark = pytest.mark.usefixtures("crds")
PLAYBOOK = "service_mesh.istio.mesh"
DATA = "seeded-secret-of-awx"
MANY = 60


@dataclass(frozen=True)
class Template:
    """A job template: AWX makes a private data folder of it for every job."""

    folder: Path
    cluster: Cluster
    variables: dict[str, Any]

    def launch(
        self, name: str, *, check: bool = False, host: str = "", cancel: Callable[[], bool] | None = None
    ) -> ansible_runner.Runner:
        """Run a job until it has ended."""
        private = self._private(name, host or self.cluster.server)
        return ansible_runner.run(
            private_data_dir=str(private),
            ident="1",
            playbook=PLAYBOOK,
            cmdline="--check --diff -vvv" if check else "--diff -vvv",
            quiet=True,
            cancel_callback=cancel,
            settings={"pexpect_timeout": 0.2},  # how often it looks whether the job was cancelled
        )

    def _private(self, name: str, host: str) -> Path:
        private = self.folder / name
        for folder in ("env", "inventory", "project", "tmp"):
            (private / folder).mkdir(parents=True)
        credential = {
            "K8S_AUTH_HOST": host,
            "K8S_AUTH_API_KEY": self.cluster.token,
            "K8S_AUTH_VERIFY_SSL": "True",
            "K8S_AUTH_SSL_CA_CERT": self.cluster.ca_file,
        }
        surroundings = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv" / "collections"), "HOME": str(private)}
        temporary = {"TMPDIR": str(private / "tmp"), "ANSIBLE_LOCAL_TEMP": str(private / "tmp" / "ansible")}
        _dump(private / "env" / "envvars", {**credential, **surroundings, **temporary, "SEED": DATA})
        python = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        inventory = {"all": {"hosts": {"east": {**python, "mesh_mode": "external", **self.variables}}}}
        _dump(private / "inventory" / "hosts.yml", inventory)
        return private


def _dump(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture
def template(cluster: Cluster, new_namespace: str, tmp_path: Path) -> Template:
    metadata = {"name": "seeded", "namespace": new_namespace}
    data = {"key": "{{ lookup('env', 'SEED') }}"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}
    virtual_services = [
        {"name": f"many-{number}", "namespace": new_namespace, "hosts": [f"many-{number}"]} for number in range(MANY)
    ]
    variables = {
        "mesh_injection_namespaces": [{"name": new_namespace, "create": True}],
        "mesh_config_objects": [secret],
        "mesh_config_virtual_services": virtual_services,
    }
    return Template(tmp_path, cluster, variables)


def changed(job: ansible_runner.Runner) -> int:
    assert (job.status, job.rc) == ("successful", 0), job.stdout.read()
    return int(job.stats["changed"].get("east", 0))


def test_check_then_run_then_nothing(template: Template, audit: Audit) -> None:
    mark = audit.mark()
    assert (changed(template.launch("check", check=True)), audit.persisted(mark)) == (2, [])
    first = template.launch("run")
    assert changed(first) == 2
    assert len(audit.persisted(mark)) == 1 + 1 + MANY
    mark = audit.mark()
    assert (changed(template.launch("again")), audit.persisted(mark)) == (0, [])
    artifacts = next(event for event in first.events if event["event"] == "playbook_on_stats")["event_data"]
    assert list(artifacts["artifact_data"]["mesh_status"]) == ["east"]
    assert _shown_secrets(template) == []


def _shown_secrets(template: Template) -> list[str]:
    """Everything that AWX keeps or that lies about: stdout, events, facts, artifacts, temporary files.

    Not what the runner is given, and the record that it makes of that itself.
    """
    kept = [path for path in files(template.folder) if path.parent.name != "env" and path.name != "command"]
    names = {path.name for path in kept}
    assert {"stdout", "hosts.yml"} <= names
    assert any("job_events" in path.parts for path in kept)
    return traces([DATA, template.cluster.token], contents(kept))


def test_cancelled_job_stops_and_the_next_one_converges(template: Template, audit: Audit) -> None:
    mark = audit.mark()
    with slow_proxy(template.cluster.server, 0.02) as port:
        host = f"https://127.0.0.1:{port}"
        job = template.launch("cancelled", host=host, cancel=lambda: len(audit.persisted(mark)) >= 5)
        assert job.status == "canceled"
        written = len(audit.persisted(mark))
        time.sleep(1.5)
        assert len(audit.persisted(mark)) <= written + 1, "one write may have been under way"
        assert 5 <= written < MANY
    assert changed(template.launch("next")) == 1
    assert len(audit.persisted(mark)) == 1 + 1 + MANY, "nothing is written twice"
    assert changed(template.launch("last")) == 0


def test_warning_about_a_credential_without_ca(template: Template, cluster: Cluster) -> None:
    """AWX turns verification off, without a word, where no CA was pasted; we say so."""
    private = template._private("unverified", cluster.server)
    variables = yaml.safe_load((private / "env" / "envvars").read_text())
    unverified = {**variables, "K8S_AUTH_VERIFY_SSL": "False"}
    del unverified["K8S_AUTH_SSL_CA_CERT"]
    _dump(private / "env" / "envvars", unverified)
    job = ansible_runner.run(private_data_dir=str(private), ident="1", playbook="service_mesh.istio.status", quiet=True)
    events = " ".join(json.dumps(event) for event in job.events)
    assert f"The certificate of {cluster.server} is not verified" in events
