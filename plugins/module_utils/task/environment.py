# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection of a task: its options, and where they leave it open the environment.

Names and meaning of the variables are those of kubernetes.core, so that AWX's
credential "OpenShift or Kubernetes API Bearer Token" works. Unlike there, the
environment never mixes into a cluster that the task names: its token would go
to another cluster than the one it is for.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..kube.errors import ConnectionOptionsError
from ..kube.kubeconfig import ConnectionOptions
from .arguments import CONNECTION


def _flag(text: str) -> bool:
    return bool(boolean(text))


def _list(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


# Option: its variables (the first that is set counts), and what makes a value of the text.
_VARIABLES: Mapping[str, tuple[tuple[str, ...], Callable[[str], Any]]] = {
    "host": (("K8S_AUTH_HOST",), str),
    "api_key": (("K8S_AUTH_API_KEY",), str),
    "kubeconfig": (("K8S_AUTH_KUBECONFIG", "KUBECONFIG"), str),
    "context": (("K8S_AUTH_CONTEXT",), str),
    "username": (("K8S_AUTH_USERNAME",), str),
    "password": (("K8S_AUTH_PASSWORD",), str),
    "client_cert": (("K8S_AUTH_CERT_FILE",), os.path.expanduser),
    "client_key": (("K8S_AUTH_KEY_FILE",), os.path.expanduser),
    "ca_cert": (("K8S_AUTH_SSL_CA_CERT",), os.path.expanduser),
    "validate_certs": (("K8S_AUTH_VERIFY_SSL",), _flag),
    "proxy": (("K8S_AUTH_PROXY",), str),
    "no_proxy": (("K8S_AUTH_NO_PROXY",), str),
    "persist_config": (("K8S_AUTH_PERSIST_CONFIG",), _flag),
    "impersonate_user": (("K8S_AUTH_IMPERSONATE_USER",), str),
    "impersonate_groups": (("K8S_AUTH_IMPERSONATE_GROUPS",), _list),
}
# What says which cluster it is, and who we are there.
_OF_ONE_CLUSTER = frozenset(
    {
        "host",
        "api_key",
        "kubeconfig",
        "context",
        "username",
        "password",
        "client_cert",
        "client_key",
        "ca_cert",
        "validate_certs",
    }
)


def connection_options(params: Mapping[str, Any]) -> ConnectionOptions:
    """The connection that a task's parameters and the environment describe. Raises ConnectionOptionsError."""
    given = _given(params)
    found = {name: _value(name, os.environ) for name in _VARIABLES if name not in given and name not in _closed(given)}
    return _options({**{name: value for name, value in found.items() if value is not None}, **given})


def remote_options(params: Mapping[str, Any]) -> ConnectionOptions | None:
    """The second cluster of a task that has to do with two; the environment speaks of the first alone."""
    return _options(_given(params["remote"]), "remote.") if params.get("remote") else None


def connection_secrets(params: Mapping[str, Any]) -> set[str]:
    """Every text among the connections of a task that must never be shown."""
    remote = remote_options(params)
    return connection_options(params).secrets() | (remote.secrets() if remote else set())


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in CONNECTION.options if params.get(name) is not None}


def _options(options: dict[str, Any], place: str = "") -> ConnectionOptions:
    _require_time(options.get("request_timeout"), place)
    if "api_key" in options:
        options["api_key"] = options["api_key"].strip()  # a token from a file or a block of YAML ends with a newline
    return ConnectionOptions(**options)


def _require_time(seconds: float | None, place: str) -> None:
    """Raise ConnectionOptionsError where no request could ever be answered in time, or each might take for ever."""
    if seconds is not None and not 0 < seconds < math.inf:
        raise ConnectionOptionsError(
            f"'{place}request_timeout' cannot be {seconds:g}",
            reason="it is the number of seconds that a request may take",
            hint="Give a number above 0, or leave it out for 30",
        )


def _closed(given: Mapping[str, Any]) -> frozenset[str]:
    """Options for which the environment is not asked, because the task names a cluster of its own."""
    if "host" in given or "kubeconfig" in given:
        return _OF_ONE_CLUSTER
    return _OF_ONE_CLUSTER - {"kubeconfig"} if "context" in given else frozenset()


def _value(name: str, environment: Mapping[str, str]) -> Any:
    variables, convert = _VARIABLES[name]
    variable = next((variable for variable in variables if environment.get(variable)), None)
    if variable is None:
        return None
    try:
        return convert(environment[variable])
    except TypeError as error:
        raise ConnectionOptionsError(
            f"The environment variable {variable} cannot be used",
            reason=f"'{environment[variable]}' is neither true nor false",
            hint="Set it to True or False",
        ) from error
