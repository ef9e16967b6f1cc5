# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which certificates the proxies of a cluster present and which roots they hold, asked of each; what istiod hands out.

Source: Envoy's administration interface, /config_dump, which leaves keys out; the names under which an agent gives its
proxy the two are those of pkg/security of Istio. istiod hands its roots out in a ConfigMap of each namespace and in its
webhooks (pilot/pkg/bootstrap, namespacecontroller and webhookpatch).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import ApiError, Forbidden, Unauthorized
from ..kube.exec import CommandFailed
from ..kube.pods import stays
from ..kube.resources import CONFIG_MAP, MUTATING_WEBHOOKS, POD, VALIDATING_WEBHOOKS
from ..reconcile.parallel import each
from .certificates import Certificate, NotACertificate, certificates
from .facts import REVISION_LABEL
from .pods import PROXY, authority_of, proxy_of
from .trust import DISTRIBUTED, DISTRIBUTED_KEY

_ASK = ("pilot-agent", "request", "GET", "config_dump?resource=dynamic_active_secrets")
_ASKED_SECONDS = 20.0
_PRESENTED, _HELD = "default", "ROOTCA"


@dataclass(frozen=True)
class Shown:
    """What one proxy shows, or one object by which istiod hands out its roots; `trouble` is why it cannot be seen."""

    where: str
    holds: frozenset[Certificate] = frozenset()
    chain: tuple[Certificate, ...] = ()
    trouble: str = ""
    uid: str = ""

    @property
    def is_proxy(self) -> bool:
        return bool(self.uid)

    @property
    def pod(self) -> str:
        return self.where.removeprefix(f"{POD.kind} ") if self.is_proxy else ""


@dataclass(frozen=True)
class Proxy:
    """A Pod with a proxy that runs; its identity, because a Pod of a StatefulSet comes back under its name."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"Pod {self.namespace}/{self.name}"


def handed_out(client: Client, namespace: str, known: frozenset[Certificate]) -> Iterator[Shown]:
    """What the control planes of a root namespace hand out: to agents, and to the API server for their webhooks."""
    for found in client.list_objects(CONFIG_MAP, fields=f"metadata.name={DISTRIBUTED}"):
        place, holds = found["metadata"]["namespace"], _read((found.get("data") or {}).get(DISTRIBUTED_KEY, ""))
        is_foreign = bool(known and holds) and known.isdisjoint(holds) and place != namespace
        if not is_foreign:
            yield Shown(f"ConfigMap {place}/{DISTRIBUTED}", holds)
    for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
        for found in client.list_objects(resource, labels=REVISION_LABEL):
            yield from _bundles(found, f"{resource.kind} {found['metadata']['name']}", namespace)


def _bundles(configuration: Object, where: str, namespace: str) -> Iterator[Shown]:
    for hook in configuration.get("webhooks") or []:
        config = hook["clientConfig"]
        service = config.get("service")
        if config.get("caBundle") and (service is None or service["namespace"] == namespace):
            text = base64.b64decode(config["caBundle"]).decode("utf-8", "replace")
            yield Shown(f"{where} ({hook['name']})", _read(text))


def proxies(client: Client, namespace: str) -> list[Proxy]:
    """The Pods of the mesh whose proxies run, page by page: of a Pod nothing else is kept."""
    found = client.list_objects(POD)
    return [
        Proxy(pod["metadata"]["namespace"], pod["metadata"]["name"], pod["metadata"]["uid"])
        for pod in found
        if (pod.get("status") or {}).get("phase") == "Running" and is_of(pod, namespace) and stays(pod)
    ]


def is_of(pod: Object, namespace: str) -> bool:
    """Whether a Pod has a proxy, and none of a control plane that a cluster has in another namespace."""
    host = authority_of(pod).partition(":")[0].split(".")
    is_elsewhere = host[0].startswith("istiod") and host[2:3] == ["svc"] and host[1] != namespace
    return proxy_of(pod) is not None and not is_elsewhere


def shown_by(client: Client, proxy: Proxy, seconds: float) -> Shown | None:
    """What a proxy shows; None for one that has gone meanwhile."""
    try:
        printed = client.execute(proxy.namespace, proxy.name, PROXY, _ASK, seconds)
        return read_dump(printed, str(proxy), proxy.uid)
    except (Forbidden, Unauthorized):
        raise
    except (ApiError, CommandFailed) as error:
        there = client.get(POD, proxy.name, proxy.namespace)
        if there is None or there["metadata"]["uid"] != proxy.uid or not stays(there):
            return None
        return Shown(str(proxy), trouble=f"it cannot be asked: {error.reason or error.what}", uid=proxy.uid)


def read_dump(printed: str, where: str, uid: str) -> Shown:
    """What Envoy's list of its secrets says of the two that are the mesh's."""
    try:
        rows = {row.get("name"): row.get("secret") or {} for row in json.loads(printed).get("configs") or []}
    except (ValueError, AttributeError):
        words = " ".join(printed.split())[:200] or "nothing"
        return Shown(where, trouble=f"it does not tell its certificates: it says {words}", uid=uid)
    chain = _inline(rows.get(_PRESENTED, {}), "tls_certificate", "certificate_chain")
    holds = frozenset(_inline(rows.get(_HELD, {}), "validation_context", "trusted_ca"))
    return Shown(where, holds, chain, uid=uid)


def _inline(secret: Mapping[str, Any], *keys: str) -> tuple[Certificate, ...]:
    for key in keys:
        secret = secret.get(key) or {}
    try:
        text = base64.b64decode(secret.get("inline_bytes") or "").decode("utf-8", "replace")
    except binascii.Error:
        return ()
    return tuple(_read_all(secret.get("inline_string") or text))


def _read(text: str) -> frozenset[Certificate]:
    return frozenset(_read_all(text))


def _read_all(text: str) -> list[Certificate]:
    try:
        return certificates(text)
    except NotACertificate:
        return []


@dataclass
class Looks:
    """Asks proxies; who has shown a phase is not asked again for it. `outside` of its mesh a control plane has none.

    `known` are the roots that the mesh has and shall have: a namespace that is handed none of them belongs to another
    control plane of the cluster.
    """

    client: Client
    namespace: str
    outside: bool = False
    known: frozenset[Certificate] = frozenset()
    settled: set[str] = field(default_factory=set)

    def look(self) -> list[Shown]:
        """What istiod hands out, and what the proxies show that are not settled."""
        if self.outside:
            return []
        asked = each(self._ask, [one for one in proxies(self.client, self.namespace) if one.uid not in self.settled])
        handed = handed_out(self.client, self.namespace, self.known)
        return [*handed, *(one for one in asked if one)]

    def settle(self, shown: Iterable[Shown], behind: Collection[str]) -> None:
        """Who lags behind is asked again; nobody any more means all once more, for who has fallen back meanwhile."""
        there = {one.uid for one in shown if one.is_proxy and one.where not in behind}
        self.settled = self.settled | there if behind else set()

    def _ask(self, proxy: Proxy) -> Shown | None:
        return shown_by(self.client, proxy, _ASKED_SECONDS)
