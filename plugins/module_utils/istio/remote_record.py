# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Injectors whose istiod is in another cluster: whose it is, and what is recorded of the charts that lead to it.

A remote cluster has webhooks and the values of the chart, with our record on them, and no istiod that would say more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from ..kube.resources import CONFIG_MAP, DEPLOYMENT, MUTATING_WEBHOOKS, NAMESPACE
from .facts import REVISION_LABEL, ROOT_NAMESPACE, SERVED_BY, TRUST_DOMAIN
from .installed import record_of, values_in
from .revisions import named
from .snapshot import Ask, Snapshot
from .usage import istiods
from .webhooks import DEFAULT_REVISION, annotations_of, hooks_of, labels_of
from .world import mapping

Place = tuple[str, str]
# On the ConfigMap with the values, so that it goes with what it was seen of.
SEEN = "service-mesh-istio/served"
_DIGITS = 16


@dataclass(frozen=True)
class Remote:
    """A revision that injects from elsewhere: by the cluster `primary`, as its namespace says, empty where it does not.

    `version` is that of the charts, empty where there is no record of ours. `way` is another one whenever something
    else leads to that control plane, and `seen` the one by which a Pod was seen to be served.
    """

    namespace: str
    revision: str
    primary: str
    version: str
    way: str = ""
    seen: str = ""

    @property
    def uncompared(self) -> str:
        """A warning, where the version is not known."""
        return (
            f"Proxies of the revision '{self.revision}' are not compared by version: its control plane is not in this "
            f"cluster, and the ConfigMap {self.namespace}/{_values(self.revision)} does not record which version leads "
            "there"
        )


def remote_asks(snapshot: Snapshot, root: str = ROOT_NAMESPACE) -> list[Ask]:
    """What tells of them; nothing where every injector has its istiod, which the snapshot has to have.

    Namespaces are listed, as who reads a mesh may do that and nothing more with them (examples/rbac/read.yaml).
    """
    records = record_asks(snapshot, root)
    return [Ask(NAMESPACE), *records] if records else []


def record_asks(snapshot: Snapshot, root: str = ROOT_NAMESPACE) -> list[Ask]:
    """What tells of their versions alone."""
    return [Ask(CONFIG_MAP, namespace, name=_values(revision)) for namespace, revision in _elsewhere(snapshot, root)]


def values_asks(planes: Iterable[Object]) -> list[Ask]:
    """The values of the charts of control planes that are here."""
    return [Ask(CONFIG_MAP, found["metadata"]["namespace"], name=_values(_revision_of(found))) for found in planes]


def trust_domain_in(found: Object) -> str:
    """That of the values in a ConfigMap; empty where it holds none."""
    values = values_in(found)
    return str(mapping(values.get("meshConfig")).get("trustDomain") or TRUST_DOMAIN) if values else ""


def remotes_of(snapshot: Snapshot, root: str = ROOT_NAMESPACE) -> list[Remote]:
    """All of them, as a snapshot with what `remote_asks` asks for has them."""
    return [_remote(snapshot, *place) for place in _elsewhere(snapshot, root)]


def recorded_versions(snapshot: Snapshot) -> dict[str, str]:
    """The version of each such revision where it is recorded; a snapshot has it by what `record_asks` asks for."""
    return {one.revision: one.version for one in remotes_of(snapshot) if one.version}


def recorded_globals(found: Object) -> Mapping[str, Any]:
    """What the charts were told, by the ConfigMap that bears our record; of others nothing is known."""
    return mapping(values_in(found).get("global")) if record_of(found).version else {}


def _elsewhere(snapshot: Snapshot, root: str) -> list[Place]:
    """Namespace and revision of injectors without an istiod, where istiods may be read."""
    planes = {(found["metadata"]["namespace"], _revision_of(found)) for found in istiods(snapshot)}
    asked = dict.fromkeys((hook.place or root, hook.revision) for hook in hooks_of(snapshot.of(MUTATING_WEBHOOKS)))
    return [place for place in asked if place not in planes and _may_see(snapshot, place[0])]


def _may_see(snapshot: Snapshot, namespace: str) -> bool:
    """Whether an istiod in a namespace would have been seen: that was asked by itself, or with all others."""
    unread = {one.namespace for one in snapshot.unread if one.resource == DEPLOYMENT}
    is_asked = any(ask.resource == DEPLOYMENT and ask.namespace == namespace for ask in snapshot.asked)
    return namespace not in unread and (is_asked or "" not in unread)


def _remote(snapshot: Snapshot, namespace: str, revision: str) -> Remote:
    place = snapshot.named(NAMESPACE, namespace, "")
    found = snapshot.named(CONFIG_MAP, _values(revision), namespace) or {"metadata": {}}
    record, primary = record_of(found), annotations_of(place).get(SERVED_BY, "") if place else ""
    way = [primary, record.version, found.get("data")]
    digest = hashlib.sha256(json.dumps(way, sort_keys=True).encode()).hexdigest()[:_DIGITS]
    return Remote(namespace, revision, primary, record.version, digest, annotations_of(found).get(SEEN, ""))


def _revision_of(istiod: Object) -> str:
    return labels_of(istiod).get(REVISION_LABEL, DEFAULT_REVISION)


def _values(revision: str) -> str:
    return named("values", "" if revision == DEFAULT_REVISION else revision)
