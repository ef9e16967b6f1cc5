# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which cluster the options of a task name, and what a kubeconfig says of it.

A cluster is always named: nothing here ever takes whatever context is current.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .access import Access, Pem
from .credentials import TokenFile, of_provider, pem_of, take_user
from .errors import ConnectionOptionsError
from .yaml_loader import TooDeep, limited_loader, without_names

try:
    import yaml
except ImportError:  # connect() says which library is missing
    pass

# Where a Pod finds its account. Source: Kubernetes, "Accessing the Kubernetes API from a Pod".
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# What of a kubeconfig's users may be shown; everything else may be a credential (tokens, key data, plugins' settings).
_SHOWABLE = (
    "as",
    "as-groups",
    "name",
    "username",
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "tokenFile",
)
_SHOWABLE_OF_PLUGINS = ("apiVersion", "args", "command", "installHint", "interactiveMode", "provideClusterInfo")


@dataclass(frozen=True)
class ConnectionOptions:
    """The connection options of every module; names and meaning are those of kubernetes.core."""

    host: str | None = None
    api_key: str | None = field(default=None, repr=False)
    kubeconfig: str | Mapping[str, Any] | None = field(default=None, repr=False)
    context: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    client_cert: str | None = None
    client_key: str | None = None
    ca_cert: str | None = None
    validate_certs: bool | None = None
    proxy: str | None = field(default=None, repr=False)
    no_proxy: str | None = None
    proxy_headers: Mapping[str, Any] | None = field(default=None, repr=False)
    persist_config: bool | None = None
    impersonate_user: str | None = None
    impersonate_groups: list[str] | None = None
    use_current_context: bool = False
    require_tls_verify: bool = False
    request_timeout: float = 30.0

    def secrets(self) -> set[str]:
        """Every text among the options that must never be shown."""
        given = {self.api_key or "", self.password or "", *map(str, (self.proxy_headers or {}).values())}
        users = self.kubeconfig.get("users") if isinstance(self.kubeconfig, Mapping) else None
        return (given | set(_secrets(users))) - {""}

    @property
    def has_explicit_credentials(self) -> bool:
        """A host with credentials of its own needs no kubeconfig (kubernetes.core decides the same way)."""
        return bool(self.host and (self.api_key or self.client_cert or (self.username and self.password)))


def _secrets(value: Any) -> Iterator[str]:
    """Every text of a part of a kubeconfig that may be a credential, whatever shape it has."""
    if isinstance(value, Mapping):
        shown = (*_SHOWABLE, *_SHOWABLE_OF_PLUGINS)
        for key, inner in value.items():
            yield from () if key in shown else _secrets(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _secrets(inner)
    elif isinstance(value, str):
        yield value


def _refuse_unnamed(options: ConnectionOptions) -> None:
    if options.host or options.kubeconfig or options.context or options.use_current_context:
        return
    raise ConnectionOptionsError(
        "No cluster is named",
        reason="none of 'host', 'kubeconfig' and 'context' is given, by option or environment",
        hint="Name one, or say 'use_current_context: true' to take the current context or the cluster this runs in",
    )


def load(options: ConnectionOptions) -> tuple[Access, str]:
    """The way that a kubeconfig tells of, and the name of the context taken; both empty where none is asked for."""
    _refuse_unnamed(options)
    if options.has_explicit_credentials or (options.host and not (options.kubeconfig or options.context)):
        return Access(), ""
    if options.use_current_context and not options.kubeconfig and not options.context and _runs_in_cluster():
        return _of_this_cluster(), "in-cluster"
    source = _kubeconfig_source(options)
    if isinstance(source, Mapping):
        return _of_kubeconfig([_File(source, "")], source, options)
    paths = source.split(os.pathsep)
    files = [_File(_document(path), os.path.abspath(os.path.dirname(path))) for path in paths]
    return _of_kubeconfig(files, source, options)


@dataclass(frozen=True)
class _File:
    """What a file of a kubeconfig holds, and its folder, to which paths in it are relative."""

    document: Mapping[str, Any]
    folder: str


def _of_this_cluster() -> Access:
    try:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        return Access(
            host=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            authority=Pem(path=str(_ACCOUNT / "ca.crt")),
            authorization=TokenFile(_ACCOUNT / "token"),
        )
    except (KeyError, OSError, ValueError) as error:
        raise ConnectionOptionsError(
            "The cluster that this runs in cannot be used",
            reason=f"{error} is not set" if isinstance(error, KeyError) else str(error),
            hint="Give the Pod a service account token",
        ) from error


def _of_kubeconfig(
    files: Sequence[_File], source: str | Mapping[str, Any], options: ConnectionOptions
) -> tuple[Access, str]:
    try:
        return _way(files, source, options)
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:  # nothing checks shapes and encodings
        failure = ConnectionOptionsError(
            f"The kubeconfig {_described(source)} cannot be used",
            reason=f"{error} is missing in it" if isinstance(error, KeyError) else str(error),
            hint="Check 'kubeconfig' and 'context'",
        )
    failure.hide(text for file in files for text in _secrets(file.document.get("users")))
    raise failure  # without the other one, which may quote what is hidden in it


def _way(files: Sequence[_File], source: str | Mapping[str, Any], options: ConnectionOptions) -> tuple[Access, str]:
    contexts, current = _contexts([file.document for file in files])
    name = _chosen_context(contexts, current, source, options)
    context, _folder = _entry(files, "context", name)
    cluster, folder = _entry(files, "cluster", context["cluster"])
    access = Access(
        host=_text(cluster, "server"),
        authority=pem_of(cluster, "certificate-authority", folder),
        is_verified=not _flag(cluster, "insecure-skip-tls-verify"),
        server_name=cluster.get("tls-server-name") or "",
        proxy=_text(cluster, "proxy-url") if cluster.get("proxy-url") else None,
    )
    if context.get("user"):
        user, folder = _entry(files, "user", context["user"], f", which its context '{name}' names")
        take_user(access, user, folder, cluster)
        if user.get("auth-provider"):
            access.authorization = of_provider(source, name, persist=bool(options.persist_config))
    return access, name


def _text(entry: Mapping[str, Any], name: str) -> str:
    if isinstance(entry[name], str):
        return str(entry[name])
    raise ValueError(f"'{name}' of its cluster is no text")


def _flag(entry: Mapping[str, Any], name: str) -> bool:
    """The text "false" is true to Python, and kubectl refuses it."""
    if isinstance(entry.get(name) or False, bool):
        return bool(entry.get(name))
    raise ValueError(f"'{name}' of its cluster is neither true nor false")


def _entry(files: Sequence[_File], kind: str, name: Any, why: str = "") -> tuple[Mapping[str, Any], str]:
    """A named part of a kubeconfig with the folder of its file; of several of one name the first, as in kubectl."""
    for file in files:
        for entry in file.document.get(f"{kind}s") or []:
            if str(entry["name"]) == str(name):
                return entry.get(kind) or {}, file.folder
    raise ValueError(f"it has no {kind} '{name}'{why}")


def _contexts(documents: Sequence[Mapping[str, Any]]) -> tuple[list[str], str | None]:
    """Names of the contexts, and the current one; of several files the first that says one decides, as in kubectl."""
    names = [str(entry.get("name")) for document in documents for entry in document.get("contexts") or []]
    current = next((document["current-context"] for document in documents if document.get("current-context")), None)
    return list(dict.fromkeys(names)), current


def _document(path: str) -> Mapping[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            document = yaml.load(file, Loader=limited_loader())  # safe, and in C
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TooDeep, RecursionError) as error:
        told = next(iter(str(error).splitlines()), "it is nested too deep")
        reason = without_names(told) if isinstance(error, yaml.YAMLError) else told
        raise ConnectionOptionsError(f"The kubeconfig {path} cannot be read", reason=reason) from error
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
    _refuse_text(source)
    paths = [os.path.expanduser(path) for path in str(source).split(os.pathsep) if path]
    missing = [path for path in paths if not os.path.exists(path)]
    if len(missing) == len(paths):
        raise ConnectionOptionsError(
            f"The kubeconfig {', '.join(missing)} does not exist",
            hint="Check 'kubeconfig' (or K8S_AUTH_KUBECONFIG, KUBECONFIG)",
        )
    return os.pathsep.join(path for path in paths if path not in missing)


def _refuse_text(source: object) -> None:
    """What is no path is never shown: the text of a kubeconfig holds keys."""
    is_text = isinstance(source, str)
    if is_text and not re.search(r"[\n{]", str(source)):
        return
    what = "the text of a kubeconfig" if is_text else f"a value of the type {type(source).__name__}"
    raise ConnectionOptionsError(
        f"'kubeconfig' is {what}",
        reason="it takes the path of one, or what is in it as a mapping",
        hint="Give the path, or turn the text into a mapping by '| from_yaml'",
    )


def _runs_in_cluster() -> bool:
    default = os.environ.get("KUBECONFIG") or os.path.expanduser(os.path.join("~", ".kube", "config"))
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and not os.path.exists(default)


def _described(source: str | Mapping[str, Any]) -> str:
    return "given as a dictionary" if isinstance(source, Mapping) else source


def _listed(contexts: list[str]) -> str:
    return "the contexts " + ", ".join(sorted(contexts)) if contexts else "no contexts"
