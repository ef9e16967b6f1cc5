"""The way to a server: options win over the kubeconfig, TLS is verified or warned of, keys leave no files."""

from __future__ import annotations

import base64
import os
import pty
import ssl
import stat
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import urllib3
from ansible_collections.service_mesh.istio.plugins.module_utils.kube import access
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import Connection, connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import ConnectionOptionsError
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

REFUSED = 42
HOST = "https://127.0.0.1:6443"


def self_signed() -> tuple[bytes, bytes]:
    """A certificate and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "unit")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return certificate.public_bytes(pem), key.private_bytes(pem, pkcs8, serialization.NoEncryption())


CERTIFICATE, KEY = self_signed()


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def kubeconfig(user: dict[str, str] | None = None, **cluster: str | bool) -> dict[str, Any]:
    return {
        "contexts": [{"name": "east", "context": {"cluster": "east", "user": "ann"}}],
        "clusters": [{"name": "east", "cluster": {"server": HOST, **cluster}}],
        "users": [{"name": "ann", "user": user or {"token": "from-file"}}],
    }


def _pool(connection: Connection) -> urllib3.HTTPSConnectionPool:
    assert isinstance(connection.pool, urllib3.HTTPSConnectionPool)
    return connection.pool


def context_of(connection: Connection) -> ssl.SSLContext:
    context = _pool(connection).conn_kw["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    return context


def locked(key: bytes) -> bytes:
    """The key, behind a pass phrase."""
    parsed = serialization.load_pem_private_key(key, None)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return parsed.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"pass"))


def exit_code_of_refusal(options: ConnectionOptions) -> int:
    """For a child process, which has no other way to tell."""
    try:
        connect(options)
    except ConnectionOptionsError as error:
        return REFUSED if "must not have a pass phrase" in str(error) else 1
    return 0


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, and nothing else."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_options_win_over_the_kubeconfig() -> None:
    options = ConnectionOptions(kubeconfig=kubeconfig(), host="https://127.0.0.2:1", context="east", api_key="mine")
    connection = connect(options)
    assert (connection.name, connection.url) == ("east", "https://127.0.0.2:1")
    assert connection.headers()["Authorization"] == "Bearer mine"


def test_basic_authentication() -> None:
    headers = connect(ConnectionOptions(host=HOST, username="ann", password="pass")).headers()
    assert headers["Authorization"] == f"Basic {encoded(b'ann:pass')}"


def test_a_password_given_by_option_wins_over_the_token_of_a_kubeconfig() -> None:
    options = ConnectionOptions(kubeconfig=kubeconfig(), context="east", username="ann", password="pass")
    assert connect(options).headers()["Authorization"] == f"Basic {encoded(b'ann:pass')}"


def test_impersonation_travels_in_headers() -> None:
    options = ConnectionOptions(host=HOST, api_key="t", impersonate_user="bob", impersonate_groups=["a", "b"])
    connection = connect(options)
    assert connection.headers()["Impersonate-User"] == "bob"
    assert connection.repeated_headers() == [("Impersonate-Group", "a"), ("Impersonate-Group", "b")]
    assert connect(ConnectionOptions(host=HOST, api_key="t")).repeated_headers() == []


def test_a_connection_without_a_context_is_named_by_its_address() -> None:
    assert connect(ConnectionOptions(host=HOST, api_key="t")).name == HOST


def test_tls_is_verified_unless_somebody_says_otherwise() -> None:
    connection = connect(ConnectionOptions(kubeconfig=kubeconfig()))
    assert context_of(connection).verify_mode is ssl.CERT_REQUIRED
    assert context_of(connection).check_hostname
    assert connection.warnings == []


@pytest.mark.parametrize(
    "options",
    [
        ConnectionOptions(host=HOST, api_key="t", validate_certs=False),
        ConnectionOptions(kubeconfig=kubeconfig(None, **{"insecure-skip-tls-verify": True})),
    ],
    ids=["option", "kubeconfig"],
)
def test_verification_that_is_off_warns_once_and_can_be_refused(options: ConnectionOptions) -> None:
    connection = connect(options)
    (warning,) = connection.warnings
    assert warning.startswith(f"The certificate of {HOST} is not verified")
    assert context_of(connection).verify_mode is ssl.CERT_NONE
    with pytest.raises(ConnectionOptionsError, match=f"The connection to {HOST} would not be verified"):
        connect(ConnectionOptions(**{**vars(options), "require_tls_verify": True}))


def test_verification_can_be_switched_on_over_a_kubeconfig() -> None:
    unverified = kubeconfig(None, **{"insecure-skip-tls-verify": True})
    connection = connect(ConnectionOptions(kubeconfig=unverified, validate_certs=True, require_tls_verify=True))
    assert context_of(connection).verify_mode is ssl.CERT_REQUIRED


def test_require_tls_verify_refuses_plain_http() -> None:
    with pytest.raises(ConnectionOptionsError, match="would not be verified"):
        connect(ConnectionOptions(host="http://127.0.0.1:1", api_key="t", require_tls_verify=True))


def test_a_ca_file_decides_whom_to_trust(tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    path.write_bytes(CERTIFICATE)
    trusted = context_of(connect(ConnectionOptions(host=HOST, api_key="t", ca_cert=str(path)))).get_ca_certs()
    assert [entry["subject"] for entry in trusted] == [((("commonName", "unit"),),)]


@pytest.mark.parametrize("option", ["ca_cert", "client_cert"])
@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "broken"])
def test_a_bad_certificate_file_is_said(tmp_path: Path, option: str, content: bytes | None) -> None:
    path = tmp_path / "file.crt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConnectionOptionsError, match=r"certificate file .* cannot be read: .*Check 'ca_cert'"):
        connect(ConnectionOptions(host=HOST, api_key="t", **{option: str(path)}))  # type: ignore[arg-type]


def test_key_data_of_a_kubeconfig_is_used_and_leaves_no_file(scratch: Path) -> None:
    user = {"client-certificate-data": encoded(CERTIFICATE), "client-key-data": encoded(KEY)}
    connection = connect(
        ConnectionOptions(kubeconfig=kubeconfig(user, **{"certificate-authority-data": encoded(CERTIFICATE)}))
    )
    assert context_of(connection).cert_store_stats()["x509_ca"] == 1
    assert connection.authority == CERTIFICATE.decode()
    assert list(scratch.iterdir()) == []


def test_without_files_in_memory_there_are_those_of_the_disk(monkeypatch: pytest.MonkeyPatch, scratch: Path) -> None:
    def refused(_name: str) -> int:
        raise PermissionError("vm.memfd_noexec")

    monkeypatch.setattr("os.memfd_create", refused)
    access._has_memory_files.cache_clear()
    with access.Pem(text="a key").as_file() as path:
        assert Path(path).parent == scratch
    access._has_memory_files.cache_clear()


@pytest.mark.parametrize("way", [access._in_memory, access._scratch])
def test_key_data_is_nobody_elses_to_read(way: Any, scratch: Path) -> None:
    """In memory where the system can do that, so that even a kill leaves nothing."""
    with way(b"a key") as path:
        assert Path(path).read_bytes() == b"a key"
        assert len(list(scratch.iterdir())) == int(way is access._scratch)
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in scratch.iterdir())
    assert list(scratch.iterdir()) == []
    assert not Path(path).exists()


def test_broken_key_data_leaves_no_file_either(scratch: Path) -> None:
    user = {"client-certificate-data": encoded(CERTIFICATE), "client-key-data": encoded(b"no key")}
    with pytest.raises(ConnectionOptionsError, match="cannot be read"):
        connect(ConnectionOptions(kubeconfig=kubeconfig(user)))
    assert list(scratch.iterdir()) == []


def test_a_refusal_leaves_no_file_either(scratch: Path) -> None:
    user = {"client-certificate-data": encoded(CERTIFICATE), "client-key-data": encoded(KEY)}
    unverified = kubeconfig(user, **{"insecure-skip-tls-verify": True})
    with pytest.raises(ConnectionOptionsError, match="would not be verified"):
        connect(ConnectionOptions(kubeconfig=unverified, require_tls_verify=True))
    assert list(scratch.iterdir()) == []


def test_a_key_with_a_pass_phrase_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    """On a terminal OpenSSL would ask, and the worker would wait for ever: so there is a terminal here."""
    (tmp_path / "crt").write_bytes(CERTIFICATE)
    (tmp_path / "key").write_bytes(locked(KEY))
    pid, _terminal = pty.fork()
    if pid == 0:
        os._exit(
            exit_code_of_refusal(ConnectionOptions(HOST, client_cert=f"{tmp_path}/crt", client_key=f"{tmp_path}/key"))
        )
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == REFUSED


def test_headers_for_the_proxy_reach_it() -> None:
    headers = {"proxy-authorization": "Basic abc"}
    options = ConnectionOptions(HOST, "t", proxy="http://127.0.0.9:3128", proxy_headers=headers)
    pool = connect(options).pool
    assert isinstance(pool, urllib3.ProxyManager)
    assert pool.proxy_headers == headers


def test_an_address_without_a_scheme_is_refused() -> None:
    """It would be taken for plain http, and the token would go out in clear text."""
    with pytest.raises(
        ConnectionOptionsError, match=r"'127\.0\.0\.1:6443' is not the URL of an API server\. Write 'host'"
    ):
        connect(ConnectionOptions("127.0.0.1:6443", "t"))


def test_plain_http_warns() -> None:
    (warning,) = connect(ConnectionOptions("http://127.0.0.1:1", "t")).warnings
    assert warning.startswith("The connection to http://127.0.0.1:1 is not encrypted")


def test_a_token_that_cannot_be_sent_is_refused_without_being_quoted() -> None:
    with pytest.raises(ConnectionOptionsError) as refusal:
        connect(ConnectionOptions(HOST, "hunter2\nhunter3"))
    assert "The token cannot be sent" in str(refusal.value)
    assert "hunter" not in str(refusal.value)


def test_the_name_in_the_certificate_may_differ_from_the_address() -> None:
    connection = connect(ConnectionOptions(kubeconfig=kubeconfig(None, **{"tls-server-name": "api.example.com"})))
    pool = _pool(connection)
    assert (pool.conn_kw["server_hostname"], pool.assert_hostname) == ("api.example.com", "api.example.com")


@pytest.mark.parametrize(
    ("no_proxy", "kind"),
    [
        (None, urllib3.ProxyManager),
        ("192.0.2.7", urllib3.ProxyManager),
        ("10.0.0.1,127.0.0.1", urllib3.HTTPSConnectionPool),
    ],
)
def test_a_proxy_is_taken_or_bypassed(no_proxy: str | None, kind: type) -> None:
    options = ConnectionOptions(host=HOST, api_key="t", proxy="http://127.0.0.9:3128", no_proxy=no_proxy)
    connection = connect(options)
    assert type(connection.pool) is kind
    assert connection.base == ("" if kind is urllib3.HTTPSConnectionPool else HOST)


def test_the_proxy_of_the_environment_is_taken_unless_a_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As kubectl does; an empty option is one that says: none."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.8:3128")
    plain = ConnectionOptions(host=HOST, api_key="t")
    monkeypatch.setenv("NO_PROXY", "192.0.2.0/24")
    assert connect(plain).proxy == "http://127.0.0.8:3128"
    assert connect(replace(plain, proxy="http://127.0.0.9:3128")).proxy == "http://127.0.0.9:3128"
    of_file = kubeconfig(None, **{"proxy-url": "http://127.0.0.7:3128"})
    assert connect(ConnectionOptions(kubeconfig=of_file)).proxy == "http://127.0.0.7:3128"
    assert connect(replace(plain, proxy="")).proxy == ""
    monkeypatch.setenv("HTTPS_PROXY", "127.0.0.8:3128")
    assert connect(plain).proxy == "http://127.0.0.8:3128", "a proxy may be written without its scheme"
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    assert connect(plain).proxy == ""
    assert connect(replace(plain, no_proxy="192.0.2.7")).proxy == "http://127.0.0.8:3128"


@pytest.mark.parametrize(
    "options",
    [
        ConnectionOptions(HOST, "t", proxy="socks5://ann:hunter2@127.0.0.1:1"),
        ConnectionOptions(f"{HOST} ", "t"),
        ConnectionOptions("https://[fd00::1:6443", "t"),
    ],
    ids=["no HTTP proxy", "a space", "half an address"],
)
def test_an_address_that_is_none_is_told_without_the_password_of_a_proxy(options: ConnectionOptions) -> None:
    with pytest.raises(ConnectionOptionsError, match=r"cannot be used: .*Check 'host' and 'proxy'") as refusal:
        connect(options)
    assert "hunter2" not in str(refusal.value)


def test_no_credentials_in_what_python_shows() -> None:
    options = ConnectionOptions(HOST, "hunter2", password="hunter2", proxy="http://a:hunter2@127.0.0.1:1")
    assert "hunter2" not in repr(connect(replace(options, proxy_headers={"a": "hunter2"})))


@pytest.mark.parametrize(("path", "base"), [("", ""), ("/", ""), ("/k8s/clusters/c-1", "/k8s/clusters/c-1")])
def test_a_server_may_lie_below_a_path(path: str, base: str) -> None:
    assert connect(ConnectionOptions(host=HOST + path, api_key="t")).base == base
