# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What options of waves and gates mean, for all operations that restart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...istio.prometheus import Prometheus
from ...istio.rollout import How
from ...istio.rollout_gates import Gate, checked_gate
from ...istio.rollout_waves import Place, RolloutError, Wave, checked_waves
from ...istio.rollout_window import checked_window
from ...istio.selectors import checked_selector
from ...istio.web import Access, shown
from ..operation import Params

_POSITIVE = ("max_parallel",)
_NOT_NEGATIVE = ("failure_budget", "pause", "wait_timeout")


def how_of(params: Params) -> How:
    """How a rollout goes. Raises RolloutError for what can never be right."""
    _require_numbers(params, "")
    given = params.get("prometheus") or {}
    access = _access(given)
    _require_verified(params, access)
    return How(
        waves=checked_waves([_wave(one) for one in params.get("waves") or []]),
        max_parallel=params["max_parallel"],
        failure_budget=params["failure_budget"],
        pause=params["pause"],
        window=checked_window(params.get("window")),
        gates=_gates(params),
        prometheus=Prometheus(given["url"], access) if given else None,
        on_failure=params["on_failure"],
        allow_downtime=params["allow_downtime"],
        wait_timeout=params["wait_timeout"],
        namespace=params["namespace"],
    )


def _wave(given: Mapping[str, Any]) -> Wave:
    _require_numbers(given, f" (wave '{given['name']}')")
    namespaces, workloads = given.get("namespaces"), given.get("workloads")
    return Wave(
        name=given["name"],
        namespaces=None if namespaces is None else tuple(namespaces),
        selector=checked_selector(given.get("selector"), RolloutError, where=f" (wave '{given['name']}')"),
        percentage=given.get("percentage"),
        workloads=None if workloads is None else tuple(Place(**one) for one in workloads),
        gates=_gates(given),
        pause=given.get("pause"),
        max_parallel=given.get("max_parallel"),
    )


def _gates(given: Mapping[str, Any]) -> tuple[Gate, ...]:
    return tuple(checked_gate(_gate(one)) for one in given.get("gates") or [])


def _gate(given: Mapping[str, Any]) -> Gate:
    approval = given.get("approve_within")
    query, url = given.get("query") or "", given.get("url") or ""
    name = given.get("name") or query or shown(url) or "approval"
    return Gate(name, query, given.get("min"), given.get("max"), url, approval)


def _access(given: Mapping[str, Any]) -> Access:
    names = ("token", "username", "password", "ca_cert", "validate_certs", "timeout")
    return Access(**{name: given[name] for name in names if given.get(name) is not None})


def _require_verified(params: Params, access: Access) -> None:
    if params.get("require_tls_verify") and not access.validate_certs:
        raise RolloutError(
            "The certificate of Prometheus would not be verified",
            subject="prometheus.validate_certs",
            reason="'require_tls_verify' is on",
            hint="Leave 'validate_certs' out, and give 'ca_cert' where its CA is not known to the controller",
        )


def _require_numbers(given: Mapping[str, Any], where: str) -> None:
    for name in (*_POSITIVE, *_NOT_NEGATIVE):
        value = given.get(name)
        least = 1 if name in _POSITIVE else 0
        if value is not None and value < least:
            raise RolloutError(
                f"{value:g} cannot be used for '{name}'{where}", subject=name, reason=f"it has to be {least} or more"
            )
