"""What ends a TLS connection is told for what it is, and repeated where it was an accident. All servers are real."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import (
    CertificateRejected,
    ClientCertificateRejected,
    Failure,
    NoTls,
    Unreachable,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import KUBERNETES, NAMESPACE
from integration.engine.driver import config_map
from integration.support.bed import Cluster
from integration.support.servers import (
    expired_certificate,
    file_server,
    mutual_tls_server,
    serving_certificate,
    tls_server,
    torn_handshakes,
)

CONFIG_MAP = KUBERNETES["v1", "ConfigMap"]
# Records of TLS 1.2: a ServerHello of two bytes, which ends too early, and alerts (RFC 5246, 7.2 and 7.4.1.3).
DECODE_ERROR = bytes.fromhex("1603030006 02000002 0303")
ALERTS = {
    "decode error": bytes.fromhex("1503030002 0232"),
    "internal error": bytes.fromhex("1503030002 0250"),
    "protocol version": bytes.fromhex("1503030002 0246"),
    "handshake failure": bytes.fromhex("1503030002 0228"),
    "unrecognized name": bytes.fromhex("1503030002 0270"),
}
ACCIDENTS = {"nothing": b"", "bad answer": DECODE_ERROR, **{name: ALERTS[name] for name in list(ALERTS)[:2]}}
VERDICTS = {
    "protocol version": "shares no version of TLS",
    "handshake failure": "shares no version of TLS",
    "unrecognized name": "serves nothing by the name",
}


def client(cluster: Cluster, port: int, host: str = "127.0.0.1") -> Client:
    options = ConnectionOptions(host=f"https://{host}:{port}", ca_cert=cluster.ca_file, api_key=cluster.token)
    return Client(connect(options))


def failure_of(cluster: Cluster, port: int, host: str = "127.0.0.1") -> Failure:
    with pytest.raises(Failure) as raised:
        client(cluster, port, host).get(NAMESPACE, "default", None)
    return raised.value


@pytest.mark.parametrize("last_words", ACCIDENTS.values(), ids=ACCIDENTS)
@pytest.mark.parametrize("torn", [1, 2])
def test_a_lost_handshake_is_repeated(cluster: Cluster, namespace: str, last_words: bytes, torn: int) -> None:
    """Of a read and of a write that is idempotent."""
    with torn_handshakes(cluster.server, torn, last_words) as way:
        assert client(cluster, way.port).get(NAMESPACE, "default", None)
        assert way.connections == torn + 1
    with torn_handshakes(cluster.server, torn, last_words) as way:
        client(cluster, way.port).apply(CONFIG_MAP, config_map("a", namespace, k="v"), "tests", dry_run=False)
        assert way.connections == torn + 1


@pytest.mark.parametrize("last_words", ACCIDENTS.values(), ids=ACCIDENTS)
def test_handshakes_that_are_lost_again_and_again_are_no_verdict_on_a_certificate(
    cluster: Cluster, last_words: bytes
) -> None:
    with torn_handshakes(cluster.server, 100, last_words) as way:
        error = failure_of(cluster, way.port)
    assert (type(error), error.code) == (Unreachable, "unreachable")
    assert error.reason.startswith("the TLS connection was lost (")
    assert error.hint == Unreachable.default_hint


@pytest.mark.parametrize("alert", VERDICTS)
def test_who_does_not_fit_is_not_asked_again(cluster: Cluster, alert: str) -> None:
    with torn_handshakes(cluster.server, 100, ALERTS[alert]) as way:
        error = failure_of(cluster, way.port)
    assert type(error) is NoTls
    assert VERDICTS[alert] in error.reason
    assert way.connections == 1


def test_a_server_without_tls(cluster: Cluster, tmp_path: Path) -> None:
    with file_server(tmp_path) as url:
        error = failure_of(cluster, int(url.rpartition(":")[2]))
    assert (type(error), error.reason) == (NoTls, "what answers there speaks no TLS (wrong version number)")
    assert "plain HTTP" in error.hint


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_that_is_not_accepted(cluster: Cluster, tmp_path: Path, version: ssl.TLSVersion) -> None:
    """With TLS 1.3 the server says so after the handshake, when the request has been sent."""
    certificate = serving_certificate(cluster, tmp_path)
    ours = str(expired_certificate(cluster, tmp_path))
    with mutual_tls_server(certificate, cluster.ca_file, version) as port:
        host = f"https://localhost:{port}"
        options = ConnectionOptions(host=host, ca_cert=cluster.ca_file, client_cert=ours, client_key=ours)
        with pytest.raises(ClientCertificateRejected, match=r"our client certificate.*'client_cert'"):
            Client(connect(options)).get(NAMESPACE, "default", None)


def test_a_server_certificate_that_is_not_accepted(cluster: Cluster, tmp_path: Path) -> None:
    with tls_server(expired_certificate(cluster, tmp_path)) as port:
        error = failure_of(cluster, port, "localhost")
    assert (type(error), error.reason) == (
        CertificateRejected,
        "its certificate is not accepted: certificate has expired",
    )
