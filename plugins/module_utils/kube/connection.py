# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to one API server: who it is, how to reach it, how to prove who we are.

The kubernetes library reads kubeconfigs and runs exec and OIDC plugins; what
it finds becomes one urllib3 pool. Nothing here knows what is asked of the server.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ConnectionOptionsError

MISSING_LIBRARY: str | None = None
try:
    import urllib3
    import yaml
    from kubernetes import config as kube_config
    from kubernetes.client import Configuration
    from kubernetes.config import kube_config as kube_config_files
    from kubernetes.config.config_exception import ConfigException
    from requests.utils import should_bypass_proxies
except ImportError as error:  # said when a task runs, not when the plugin is only looked at
    MISSING_LIBRARY = error.name or str(error)


@dataclass(frozen=True)
class ConnectionOptions:
    """The connection options of every module; names and meaning are those of kubernetes.core."""

    host: str | None = None
    api_key: str | None = None
    kubeconfig: str | Mapping[str, Any] | None = None
    context: str | None = None
    username: str | None = None
    password: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    ca_cert: str | None = None
    validate_certs: bool | None = None
    proxy: str | None = None
    no_proxy: str | None = None
    proxy_headers: Mapping[str, Any] | None = None
    persist_config: bool | None = None
    impersonate_user: str | None = None
    impersonate_groups: list[str] | None = None
    use_current_context: bool = False
    require_tls_verify: bool = False
    request_timeout: float = 30.0

    @property
    def has_explicit_credentials(self) -> bool:
        """A host with credentials of its own needs no kubeconfig (kubernetes.core decides the same way)."""
        return bool(self.host and (self.api_key or self.client_cert or (self.username and self.password)))


@dataclass
class Connection:
    """One API server, ready to be asked."""

    name: str
    url: str
    pool: urllib3.PoolManager | urllib3.ProxyManager
    configuration: Configuration
    options: ConnectionOptions
    warnings: list[str] = field(default_factory=list)

    def headers(self) -> dict[str, str]:
        """Credentials for one request; the library refreshes what has expired (exec plugins, token files)."""
        headers = {"User-Agent": "service_mesh.istio"}
        token = self.configuration.get_api_key_with_prefix("authorization")
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
    _refuse_unnamed(options)
    configuration = Configuration()
    context = _load(options, configuration)
    _override(options, configuration)
    _refuse_unverified(options, configuration)
    try:
        pool = _pool(configuration)
    finally:
        # The library writes key data of a kubeconfig to files that only its atexit
        # hook removes, and a forked worker never runs that. The pool has read them.
        kube_config_files._cleanup_temp_files()
    name = options.context or context or configuration.host
    return Connection(name, configuration.host.rstrip("/"), pool, configuration, options, _warnings(configuration))


def _refuse_unnamed(options: ConnectionOptions) -> None:
    if options.host or options.kubeconfig or options.context or options.use_current_context:
        return
    raise ConnectionOptionsError(
        "No cluster is named",
        reason="none of 'host', 'kubeconfig' and 'context' is given, by option or environment",
        hint="Name one, or say 'use_current_context: true' to take the current context or the cluster this runs in",
    )


def _load(options: ConnectionOptions, configuration: Configuration) -> str:
    """Fill the configuration from a kubeconfig, and tell the name of the context taken."""
    if options.has_explicit_credentials or (options.host and not (options.kubeconfig or options.context)):
        return ""
    if options.use_current_context and not options.kubeconfig and not options.context and _runs_in_cluster():
        kube_config.load_incluster_config(client_configuration=configuration)
        return "in-cluster"
    source = _kubeconfig_source(options)
    try:
        return _load_kubeconfig(source, options, configuration)
    except ConfigException as error:
        raise ConnectionOptionsError(
            f"The kubeconfig {_described(source)} cannot be used",
            reason=str(error),
            hint="Check 'kubeconfig' and 'context'",
        ) from error


def _load_kubeconfig(source: str | Mapping[str, Any], options: ConnectionOptions, configuration: Configuration) -> str:
    contexts, current = _contexts(source)
    context = _chosen_context(contexts, current, source, options)
    arguments = {
        "context": context,
        "client_configuration": configuration,
        "persist_config": bool(options.persist_config),
    }
    if isinstance(source, Mapping):
        kube_config.load_kube_config_from_dict(dict(source), **arguments)
    else:
        kube_config.load_kube_config(config_file=source, **arguments)
    return context


def _contexts(source: str | Mapping[str, Any]) -> tuple[list[str], str | None]:
    """Names of the contexts, and the current one; of several files the first that says one decides, as in kubectl."""
    documents = [source] if isinstance(source, Mapping) else [_document(path) for path in source.split(os.pathsep)]
    names = [str(entry.get("name")) for document in documents for entry in document.get("contexts") or []]
    current = next((document["current-context"] for document in documents if document.get("current-context")), None)
    return list(dict.fromkeys(names)), current


def _document(path: str) -> Mapping[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            document = yaml.safe_load(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConnectionOptionsError(
            f"The kubeconfig {path} cannot be read", reason=str(error).splitlines()[0]
        ) from error
    if not isinstance(document, dict):
        raise ConnectionOptionsError(f"The kubeconfig {path} is not a kubeconfig", reason="it holds no mapping")
    return document


def _chosen_context(
    contexts: list[str], current: str | None, source: str | Mapping[str, Any], options: ConnectionOptions
) -> str:
    """A kubeconfig with one context names a cluster; of several, one has to be named."""
    if options.context:
        if options.context in contexts:
            return options.context
        raise ConnectionOptionsError(
            f"The kubeconfig {_described(source)} has no context '{options.context}'",
            reason=f"it has {_listed(contexts)}",
            hint="Correct 'context'",
        )
    if len(contexts) == 1:
        return contexts[0]
    if current and options.use_current_context:
        return current
    raise ConnectionOptionsError(
        f"The kubeconfig {_described(source)} does not name one cluster",
        reason=f"it has {_listed(contexts)}",
        hint="Set 'context', or say 'use_current_context: true'",
    )


def _kubeconfig_source(options: ConnectionOptions) -> str | Mapping[str, Any]:
    source = options.kubeconfig or os.environ.get("KUBECONFIG") or os.path.join("~", ".kube", "config")
    if isinstance(source, Mapping):
        return source
    paths = [os.path.expanduser(path) for path in str(source).split(os.pathsep) if path]
    missing = [path for path in paths if not os.path.exists(path)]
    if len(missing) == len(paths):
        raise ConnectionOptionsError(
            f"The kubeconfig {', '.join(missing)} does not exist",
            hint="Check 'kubeconfig' (or K8S_AUTH_KUBECONFIG, KUBECONFIG)",
        )
    return os.pathsep.join(path for path in paths if path not in missing)


def _runs_in_cluster() -> bool:
    default = os.environ.get("KUBECONFIG") or os.path.expanduser(os.path.join("~", ".kube", "config"))
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and not os.path.exists(default)


def _described(source: str | Mapping[str, Any]) -> str:
    return "given as a dictionary" if isinstance(source, Mapping) else source


def _listed(contexts: list[str]) -> str:
    return "the contexts " + ", ".join(sorted(contexts)) if contexts else "no contexts"


def _override(options: ConnectionOptions, configuration: Configuration) -> None:
    """Explicit options win over the kubeconfig."""
    if options.host:
        configuration.host = options.host
    if options.api_key:
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
    }
    for name, value in plain.items():
        if value is not None:
            setattr(configuration, name, value)


def _refuse_unverified(options: ConnectionOptions, configuration: Configuration) -> None:
    if options.require_tls_verify and not (configuration.verify_ssl and configuration.host.startswith("https")):
        raise ConnectionOptionsError(
            f"The connection to {configuration.host} would not be verified",
            reason="'require_tls_verify' is on, and verification is switched off or the address is not https",
            hint="Give the CA by 'ca_cert' and leave 'validate_certs' on",
        )


def _warnings(configuration: Configuration) -> list[str]:
    if configuration.verify_ssl:
        return []
    return [
        f"The certificate of {configuration.host} is not verified: anyone in between can read and change what is sent."
    ]


def _pool(configuration: Configuration) -> urllib3.PoolManager | urllib3.ProxyManager:
    arguments: dict[str, Any] = {"maxsize": 8, "retries": False}
    if configuration.host.startswith("https"):
        arguments["ssl_context"] = _ssl_context(configuration)
        if configuration.tls_server_name:
            arguments["server_hostname"] = configuration.tls_server_name
            arguments["assert_hostname"] = configuration.tls_server_name if configuration.verify_ssl else False
    if configuration.proxy and not _bypasses_proxy(configuration):
        return urllib3.ProxyManager(configuration.proxy, proxy_headers=configuration.proxy_headers, **arguments)
    return urllib3.PoolManager(**arguments)


def _ssl_context(configuration: Configuration) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConnectionOptionsError(
            f"A certificate file for {configuration.host} cannot be read",
            reason=str(error),
            hint="Check 'ca_cert', 'client_cert' and 'client_key' (or the entries in the kubeconfig)",
        ) from error
    if not configuration.verify_ssl:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the task warns, once
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _bypasses_proxy(configuration: Configuration) -> bool:
    return bool(should_bypass_proxies(configuration.host, configuration.no_proxy))
