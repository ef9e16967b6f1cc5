"""Programs that give credentials: what they are asked, what they may answer, and when they are asked again."""

from __future__ import annotations

import json
import signal
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube import credentials, login
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.access import Pem
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import Connection, connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import ConnectionOptionsError
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from unit.plugins.module_utils.kube.test_connection import (
    CERTIFICATE,
    HOST,
    KEY,
    context_of,
    self_signed,
)

VERSION = "client.authentication.k8s.io/v1"


class Program:
    """A program of a test, which answers what stands in a file and counts how often it ran."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "log-in"
        self.path.write_text(
            '#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >> asked\n'
            'echo "$*:$OWN" >> given\n[ "$1" != fail ] || { echo "login please, $OWN" >&2; exit 3; }\ncat answer\n'
        )
        self.path.chmod(0o755)

    def answer(self, **status: str) -> None:
        self.says(json.dumps({"apiVersion": VERSION, "kind": "ExecCredential", "status": status}))

    def says(self, text: str) -> None:
        (self.folder / "answer").write_text(text)

    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "asked").read_text().splitlines()]

    def connect(self, cluster: dict[str, Any] | None = None, command: str = "./log-in", **more: Any) -> Connection:
        plugin = {"apiVersion": VERSION, "command": command, "interactiveMode": "Never", **more}
        content = {
            "contexts": [{"name": "east", "context": {"cluster": "east", "user": "ann"}}],
            "clusters": [{"name": "east", "cluster": {"server": HOST, **(cluster or {})}}],
            "users": [{"name": "ann", "user": {"exec": plugin}}],
        }
        path = self.folder / "config"
        path.write_text(json.dumps(content))
        return connect(ConnectionOptions(kubeconfig=str(path)))


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def token(connection: Connection) -> str | None:
    return connection.headers().get("Authorization")


def test_it_runs_beside_the_kubeconfig_with_its_arguments_and_its_environment(program: Program) -> None:
    program.answer(token="secret")
    connection = program.connect(args=["get", "token"], env=[{"name": "OWN", "value": "mine"}])
    assert token(connection) == "Bearer secret"
    assert (program.folder / "given").read_text() == "get token:mine\n"
    assert program.asked() == [{"apiVersion": VERSION, "kind": "ExecCredential", "spec": {"interactive": False}}]


def test_what_it_has_given_is_kept_until_it_ends(program: Program) -> None:
    program.answer(token="first", expirationTimestamp="2001-01-01T00:00:00.123456789Z")
    connection = program.connect()
    program.answer(token="second", expirationTimestamp="2101-01-01T00:00:00Z")
    assert [token(connection) for _request in range(3)] == ["Bearer second"] * 3
    assert len(program.asked()) == 2


def test_it_is_asked_before_that_ends_and_may_fail_until_then(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock may be behind, and a service away for a moment: neither ends an upgrade in the middle."""
    soon = datetime.now(timezone.utc) + timedelta(seconds=30)
    program.answer(token="first", expirationTimestamp=soon.isoformat())
    connection = program.connect()
    program.says("away")
    assert [token(connection) for _request in range(3)] == ["Bearer first"] * 3
    assert len(program.asked()) == 1, "one that keeps its token until the end is not asked for every request"
    monkeypatch.setattr(credentials, "_PAUSE", 0)
    assert token(connection) == "Bearer first"
    program.answer(token="second", expirationTimestamp="2101-01-01T00:00:00Z")
    assert token(connection) == "Bearer second"


def test_what_has_ended_and_is_not_renewed_is_not_sent(program: Program) -> None:
    program.answer(token="first", expirationTimestamp="2001-01-01T00:00:00Z")
    connection = program.connect()
    program.says("away")
    with pytest.raises(ConnectionOptionsError, match="its answer is not JSON"):
        token(connection)


def test_go_says_never_by_its_first_year(program: Program) -> None:
    program.answer(token="first", expirationTimestamp="0001-01-01T00:00:00Z")
    connection = program.connect()
    assert [token(connection) for _request in range(3)] == ["Bearer first"] * 3
    assert len(program.asked()) == 1


def test_it_is_told_of_the_cluster_on_demand(program: Program) -> None:
    program.answer(token="secret")
    (program.folder / "ca.pem").write_bytes(CERTIFICATE)
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "east"}}
    program.connect({"certificate-authority": "ca.pem", "extensions": [extension]}, provideClusterInfo=True)
    (question,) = program.asked()
    cluster = question["spec"]["cluster"]
    assert (cluster["server"], cluster["config"]) == (HOST, {"audience": "east"})
    assert cluster["certificate-authority-data"].startswith("LS0t")


def test_it_may_give_a_certificate(program: Program) -> None:
    program.answer(clientCertificateData=CERTIFICATE.decode(), clientKeyData=KEY.decode())
    connection = program.connect()
    assert token(connection) is None
    assert connection.access.certificate == Pem(text=CERTIFICATE.decode())
    assert context_of(connection)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("secret", "its answer is not JSON"),
        ('["secret"]', "is no ExecCredential with a status"),
        ('{"status": "secret"}', "is no ExecCredential with a status"),
        ('{"apiVersion": "v1", "status": {"token": "secret"}}', f"is of v1, and the kubeconfig asks for {VERSION}"),
        (json.dumps({"apiVersion": VERSION, "status": {"clientCertificateData": "secret"}}), "has neither 'token' nor"),
        (
            json.dumps({"apiVersion": VERSION, "status": {"token": "secret", "expirationTimestamp": "soon"}}),
            "is no time of RFC 3339",
        ),
    ],
)
def test_an_answer_that_is_none_is_told_and_not_shown(program: Program, answer: str, why: str) -> None:
    program.says(answer)
    with pytest.raises(
        ConnectionOptionsError, match=rf"The plugin '\./log-in'.* gives no credentials: .*{why}"
    ) as said:
        program.connect()
    assert "secret" not in str(said.value)


def test_a_plugin_that_fails_is_told_and_nobody_asks_without_credentials(
    program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    for secret in ("hunter2hunter2", "hunter2\nhunter2"):
        own = [{"name": "OWN", "value": secret}, {"name": "PROFILE", "value": "login"}]
        with pytest.raises(ConnectionOptionsError, match=r"with 3\. login please, .*See example\.com") as refusal:
            program.connect(args=["fail"], env=own, installHint="See example.com")
        assert "hunter2" not in str(refusal.value)
    with pytest.raises(ConnectionOptionsError, match=r"The plugin 'nowhere-to-be-found'.*No such file"):
        program.connect(command="nowhere-to-be-found")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("source", ["", "< /dev/tty"])
def test_it_never_waits_for_a_terminal(program: Program, source: str) -> None:
    """Neither for its input nor for the terminal itself, on which passwords are asked."""
    program.path.write_text(f"#!/bin/sh\nread answer {source} || echo nobody >&2; exit 1\n")
    with pytest.raises(ConnectionOptionsError, match=r"it ended with 1\. .*nobody"):
        program.connect()
    with pytest.raises(ConnectionOptionsError, match="interactiveMode: Always"):
        program.connect(interactiveMode="Always")


def test_it_does_not_keep_a_task_for_ever(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do its children; and what it has said tells why."""
    monkeypatch.setattr(login, "_LONGEST", 0.5)
    program.path.write_text("#!/bin/sh\necho open https://example.com/device >&2\nsetsid sleep 20 &\nsleep 60\n")
    since = time.monotonic()
    with pytest.raises(ConnectionOptionsError, match=r"no answer within 0\.5 s\. open https://example\.com/device"):
        program.connect()
    assert time.monotonic() - since < 10


def test_the_timeout_of_a_task_ends_it_at_once(program: Program) -> None:
    """As Ansible does it: by a signal, with what is no ordinary exception."""

    class Over(BaseException):
        pass

    def over(*_signal: Any) -> None:
        raise Over

    program.path.write_text("#!/bin/sh\necho $$ > pid\nsleep 30\n")
    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, 1)
    since = time.monotonic()
    try:
        with pytest.raises(Over):
            program.connect()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - since < 10
    assert not Path("/proc", (program.folder / "pid").read_text().strip()).exists()


def test_what_does_not_fit_together_is_told(program: Program) -> None:
    soon = datetime.now(timezone.utc) - timedelta(seconds=1)
    program.answer(
        clientCertificateData=CERTIFICATE.decode(), clientKeyData=KEY.decode(), expirationTimestamp=soon.isoformat()
    )
    connection = program.connect()
    other, _key = self_signed()
    program.answer(clientCertificateData=other.decode(), clientKeyData=KEY.decode())
    with pytest.raises(ConnectionOptionsError, match=r"A certificate file for .* cannot be read"):
        token(connection)


def test_an_option_wins_over_a_certificate_that_is_renewed(program: Program, tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_bytes(CERTIFICATE + KEY)
    program.answer(token="first", expirationTimestamp="2001-01-01T00:00:00Z")
    program.connect()
    options = ConnectionOptions(kubeconfig=str(tmp_path / "config"), client_cert=str(tmp_path / "own.pem"))
    connection = connect(options)
    other, key = self_signed()
    program.answer(token="second", clientCertificateData=other.decode(), clientKeyData=key.decode())
    assert token(connection) == "Bearer second"
    assert connection.access.certificate == Pem(path=str(tmp_path / "own.pem"))


def test_a_time_without_a_zone_is_of_utc(program: Program) -> None:
    ends = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0).isoformat()
    program.answer(token="secret", expirationTimestamp=ends)
    connection = program.connect()
    token(connection)
    assert len(program.asked()) == 2
