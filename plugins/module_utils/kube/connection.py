# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to one API server: who it is, how to reach it, how to prove who we are.

What options and kubeconfig say becomes one urllib3 pool. Nothing here knows what is asked of the server.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from .access import Access, Pem
from .credentials import always, basic, bearer
from .errors import ConnectionOptionsError, missing_library
from .kubeconfig import ConnectionOptions, load

MISSING_LIBRARY: str | None = None
try:
    import urllib3
    import yaml

    NEEDED = (urllib3, yaml)  # what only others import is missed here as well, before anything is written
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
    access: Access
    options: ConnectionOptions
    tls: ssl.SSLContext | None = None
    proxy: str = field(default="", repr=False)
    warnings: list[str] = field(default_factory=list)
    identity: Pem | None = None  # the certificate that connections show
    authority: str = ""  # what verifies the server, as PEM; empty where nothing does, or the system's own store
    _credentials: threading.Lock = field(default_factory=threading.Lock)

    def headers(self) -> dict[str, str]:
        """Credentials for one request; what has expired is renewed (plugins, token files)."""
        with self._credentials:  # one plugin process at a time, however many requests wait for it
            return self._headers()

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": "service_mesh.istio"}
        authorization = self.access.authorization()
        if self.tls and self.access.certificate != self.identity:
            self._change_identity()
        if authorization:
            headers["Authorization"] = authorization
        if user := self.options.impersonate_user or self.access.acts_as:
            headers["Impersonate-User"] = user
        return headers

    def _change_identity(self) -> None:
        """A plugin has given another certificate. Connections that are there go on with the old one: they are left."""
        self.tls = _ssl_context(self.access)
        self.pool, self.base = _pool(self.access, self.url, self.tls, self.proxy)
        self.identity = self.access.certificate

    def repeated_headers(self) -> list[tuple[str, str]]:
        """Headers that may stand several times. Whom the options name has no groups of whom the kubeconfig names."""
        of_kubeconfig = () if self.options.impersonate_user else self.access.with_groups
        return [("Impersonate-Group", group) for group in self.options.impersonate_groups or of_kubeconfig]


def connect(options: ConnectionOptions) -> Connection:
    """A Connection, without a request being sent.

    Raises ConnectionOptionsError when no cluster is named, when a kubeconfig is
    missing or has no such context, or when verification of TLS is off where
    `require_tls_verify` asks for it.
    """
    if MISSING_LIBRARY:
        raise missing_library(MISSING_LIBRARY)
    access, context = load(options)
    _override(options, access)
    _refuse_unclear(access)
    _refuse_unverified(options, access)
    url = access.host.rstrip("/")
    tls = _ssl_context(access) if url.startswith("https") else None
    try:
        proxy = _proxy(access)
        pool, base = _pool(access, url, tls, proxy)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        # What is wrong is not quoted: the address of a proxy may hold a password.
        raise ConnectionOptionsError(
            f"The address of {url}, or of the proxy on the way, cannot be used",
            reason=type(error).__name__,
            hint="Check 'host' and 'proxy' (or K8S_AUTH_PROXY, HTTPS_PROXY, 'proxy-url'): only HTTP proxies are known",
        ) from None
    return Connection(
        options.context or options.host or context or access.host,
        url,
        pool,
        base,
        access,
        options,
        tls,
        proxy,
        _warnings(access),
        access.certificate,
        access.authority.read() if tls and access.authority and access.is_verified else "",
    )


def _override(options: ConnectionOptions, access: Access) -> None:
    """Explicit options win over the kubeconfig."""
    plain: dict[str, Any] = {
        "host": options.host,
        "certificate": Pem(path=options.client_cert) if options.client_cert else None,
        "key": Pem(path=options.client_key) if options.client_key else None,
        "authority": Pem(path=options.ca_cert) if options.ca_cert else None,
        "is_verified": options.validate_certs,
        "proxy": options.proxy,
        "no_proxy": options.no_proxy,
        "proxy_headers": options.proxy_headers,
        "authorization": _authorization(options),
    }
    for name, value in plain.items():
        if value is not None:
            setattr(access, name, value)


def _authorization(options: ConnectionOptions) -> Callable[[], str] | None:
    if options.api_key:
        return always(bearer(options.api_key))
    if options.username and options.password:
        return always(basic(options.username, options.password))
    return None


def _refuse_unclear(access: Access) -> None:
    if not access.host.startswith(("https://", "http://")):
        raise ConnectionOptionsError(
            f"'{access.host}' is not the URL of an API server", hint="Write 'host' like https://203.0.113.7:6443"
        )


def _refuse_unverified(options: ConnectionOptions, access: Access) -> None:
    if options.require_tls_verify and not (access.is_verified and access.host.startswith("https")):
        raise ConnectionOptionsError(
            f"The connection to {access.host} would not be verified",
            reason="'require_tls_verify' is on, and verification is switched off or the address is not https",
            hint="Give the CA by 'ca_cert' and leave 'validate_certs' on",
        )


def _warnings(access: Access) -> list[str]:
    if not access.host.startswith("https"):
        return [f"The connection to {access.host} is not encrypted: anyone in between can read what is sent."]
    if not access.is_verified:
        return [f"The certificate of {access.host} is not verified: anyone in between can read what is sent."]
    return []


def _pool(
    access: Access, url: str, tls: ssl.SSLContext | None, proxy: str
) -> tuple[urllib3.HTTPConnectionPool | urllib3.ProxyManager, str]:
    """The connections to one server, asked directly: finding its pool anew takes a sixth of every request."""
    arguments: dict[str, Any] = {"maxsize": 8, "retries": False}
    if tls:
        arguments["ssl_context"] = tls
        if access.server_name:
            arguments["server_hostname"] = access.server_name
            arguments["assert_hostname"] = access.server_name if access.is_verified else False
    if proxy:
        return urllib3.ProxyManager(proxy, proxy_headers=access.proxy_headers, **arguments), url
    pool = urllib3.PoolManager(**arguments).connection_from_url(url)
    return pool, urllib3.util.parse_url(url).path or ""


def _ssl_context(access: Access) -> ssl.SSLContext:
    try:
        context = access.ssl_context()
    except OSError as error:
        raise ConnectionOptionsError(
            f"A certificate file for {access.host} cannot be read",
            reason=str(error),
            hint="Check 'ca_cert', 'client_cert' and 'client_key' (or the entries in the kubeconfig); "
            "a key must not have a pass phrase",
        ) from error
    if not access.is_verified:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the task warns, once
    return context


def _proxy(access: Access) -> str:
    """Where nobody says otherwise, the environment's, as kubectl takes it; empty where there is none on the way."""
    of_environment = getproxies_environment()
    proxy, no_proxy = access.proxy, access.no_proxy
    if proxy is None:
        proxy = of_environment.get(urlsplit(access.host).scheme)
    if no_proxy is None:
        no_proxy = of_environment.get("no")
    if not proxy or _bypasses(access.host, no_proxy):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _bypasses(host: str, no_proxy: str | None) -> bool:
    """Few have a proxy: the library that knows takes long to import, and comes with `kubernetes`."""
    try:
        from requests.utils import should_bypass_proxies
    except ImportError as error:
        raise missing_library("requests", "it says which addresses are reached without the proxy") from error
    return bool(should_bypass_proxies(host, no_proxy))
