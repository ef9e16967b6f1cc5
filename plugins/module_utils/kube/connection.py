# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to one API server: who it is, how to reach it, how to prove who we are.

The kubernetes library reads kubeconfigs and runs exec and OIDC plugins; what
it finds becomes one urllib3 pool. Nothing here knows what is asked of the server.
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import ConnectionOptionsError
from .kubeconfig import ConnectionOptions, load

MISSING_LIBRARY: str | None = None
try:
    import urllib3
    from kubernetes.client import Configuration
    from kubernetes.config import kube_config as kube_config_files
    from requests.utils import should_bypass_proxies
except ImportError as error:  # said when a task runs, not when the plugin is only looked at
    MISSING_LIBRARY = error.name or str(error)

# OpenSSL starts with its first context. The controller loads this file before it forks: so not every worker has to.
ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class Connection:
    """One API server, ready to be asked."""

    name: str
    url: str
    pool: urllib3.HTTPConnectionPool | urllib3.ProxyManager
    base: str  # what stands before the path of a request: for a proxy the whole address
    configuration: Configuration
    options: ConnectionOptions
    tls: ssl.SSLContext | None = None
    proxy: str = ""
    warnings: list[str] = field(default_factory=list)
    authority: str = ""  # what verifies the server, as PEM; empty where nothing does, or the system's own store
    _credentials: threading.Lock = field(default_factory=threading.Lock)

    def headers(self) -> dict[str, str]:
        """Credentials for one request; the library refreshes what has expired (exec plugins, token files)."""
        with self._credentials:  # one plugin process at a time, however many requests wait for it
            return self._headers()

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": "service_mesh.istio"}
        token = self.configuration.auth_settings().get("BearerToken", {}).get("value")
        if not token and self.configuration.username and self.configuration.password:
            token = self.configuration.get_basic_auth_token()
        if token:
            headers["Authorization"] = token
        if self.options.impersonate_user:
            headers["Impersonate-User"] = self.options.impersonate_user
        return headers

    def repeated_headers(self) -> list[tuple[str, str]]:
        """Headers that may stand several times."""
        return [("Impersonate-Group", group) for group in self.options.impersonate_groups or []]


def connect(options: ConnectionOptions) -> Connection:
    """A Connection, without a request being sent.

    Raises ConnectionOptionsError when no cluster is named, when a kubeconfig is
    missing or has no such context, or when verification of TLS is off where
    `require_tls_verify` asks for it.
    """
    if MISSING_LIBRARY:
        raise ConnectionOptionsError(
            f"The Python library '{MISSING_LIBRARY}' is missing",
            hint="Install the collection's requirements.txt for the Python that runs Ansible "
            "(with a local connection that is the controller's, not ansible_python_interpreter)",
        )
    try:
        return _connected(options)
    finally:
        # The library writes key data of a kubeconfig to files that only its atexit
        # hook removes, and a forked worker never runs that. The pool has read them.
        kube_config_files._cleanup_temp_files()


def _connected(options: ConnectionOptions) -> Connection:
    configuration = Configuration()
    context = load(options, configuration)
    _override(options, configuration)
    _refuse_unclear(configuration)
    _refuse_unverified(options, configuration)
    name = options.context or options.host or context or configuration.host
    url = configuration.host.rstrip("/")
    tls = _ssl_context(configuration) if configuration.host.startswith("https") else None
    proxy = configuration.proxy if configuration.proxy and not _bypasses_proxy(configuration) else ""
    pool, base = _pool(configuration, url, tls, proxy)
    return Connection(
        name,
        url,
        pool,
        base,
        configuration,
        options,
        tls,
        proxy,
        _warnings(configuration),
        _authority(configuration),
    )


def _override(options: ConnectionOptions, configuration: Configuration) -> None:
    """Explicit options win over the kubeconfig."""
    if options.host:
        configuration.host = options.host
    if options.api_key:
        _refuse_unsendable(options.api_key)
        configuration.api_key = {"authorization": f"Bearer {options.api_key}"}
        configuration.refresh_api_key_hook = None
    plain = {
        "username": options.username,
        "password": options.password,
        "cert_file": options.client_cert,
        "key_file": options.client_key,
        "ssl_ca_cert": options.ca_cert,
        "verify_ssl": options.validate_certs,
        "proxy": options.proxy,
        "no_proxy": options.no_proxy,
        "proxy_headers": options.proxy_headers,
    }
    for name, value in plain.items():
        if value is not None:
            setattr(configuration, name, value)


def _refuse_unsendable(token: str) -> None:
    """A header cannot hold everything, and the error of who tries would quote the token."""
    if not (token.isascii() and token.isprintable()):
        raise ConnectionOptionsError(
            "The token cannot be sent",
            reason="'api_key' has characters that no token has, such as a line break",
            hint="Correct 'api_key'",
        )


def _refuse_unclear(configuration: Configuration) -> None:
    if not configuration.host.startswith(("https://", "http://")):
        raise ConnectionOptionsError(
            f"'{configuration.host}' is not the URL of an API server", hint="Write 'host' like https://203.0.113.7:6443"
        )


def _refuse_unverified(options: ConnectionOptions, configuration: Configuration) -> None:
    if options.require_tls_verify and not (configuration.verify_ssl and configuration.host.startswith("https")):
        raise ConnectionOptionsError(
            f"The connection to {configuration.host} would not be verified",
            reason="'require_tls_verify' is on, and verification is switched off or the address is not https",
            hint="Give the CA by 'ca_cert' and leave 'validate_certs' on",
        )


def _warnings(configuration: Configuration) -> list[str]:
    if not configuration.host.startswith("https"):
        return [f"The connection to {configuration.host} is not encrypted: anyone in between can read what is sent."]
    if not configuration.verify_ssl:
        return [f"The certificate of {configuration.host} is not verified: anyone in between can read what is sent."]
    return []


def _pool(
    configuration: Configuration, url: str, tls: ssl.SSLContext | None, proxy: str
) -> tuple[urllib3.HTTPConnectionPool | urllib3.ProxyManager, str]:
    """The connections to one server, asked directly: finding its pool anew takes a sixth of every request."""
    arguments: dict[str, Any] = {"maxsize": 8, "retries": False}
    if tls:
        arguments["ssl_context"] = tls
        name = getattr(configuration, "tls_server_name", None)  # older libraries do not know it
        if name:
            arguments["server_hostname"] = name
            arguments["assert_hostname"] = name if configuration.verify_ssl else False
    if proxy:
        return urllib3.ProxyManager(proxy, proxy_headers=configuration.proxy_headers, **arguments), url
    pool = urllib3.PoolManager(**arguments).connection_from_url(url)
    return pool, urllib3.util.parse_url(url).path or ""


def _ssl_context(configuration: Configuration) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file or None, _no_pass_phrase)
    except (OSError, ssl.SSLError) as error:
        raise ConnectionOptionsError(
            f"A certificate file for {configuration.host} cannot be read",
            reason=str(error),
            hint="Check 'ca_cert', 'client_cert' and 'client_key' (or the entries in the kubeconfig); "
            "a key must not have a pass phrase",
        ) from error
    if not configuration.verify_ssl:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the task warns, once
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _authority(configuration: Configuration) -> str:
    """Read here, because the library keeps it in a file that goes."""
    if not configuration.verify_ssl or not configuration.ssl_ca_cert:
        return ""
    return Path(configuration.ssl_ca_cert).read_text(encoding="utf-8")


def _no_pass_phrase() -> str:
    """Without this OpenSSL would ask on the terminal, and the worker would wait for ever."""
    return ""


def _bypasses_proxy(configuration: Configuration) -> bool:
    return bool(should_bypass_proxies(configuration.host, configuration.no_proxy))
