# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of an upgrade under way: from which version to which, and how things were before.

It is a ConfigMap of the root namespace, so whoever goes on, from whatever machine, knows the same. There is one upgrade
at a time in a mesh. The record is written before anything is changed, never changed, and gone when the upgrade is over.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..kube.client import Client, Object
from ..kube.errors import Failure
from ..kube.resources import CONFIG_MAP
from ..reconcile.objects import Key
from .facts import MANAGER_PREFIX

Strategy = Literal["in_place", "revision"]
IN_PLACE, REVISION = "in_place", "revision"
STRATEGIES = (IN_PLACE, REVISION)
MANAGER = f"{MANAGER_PREFIX}upgrade"
NAME = "service-mesh-istio-upgrade"
# A ConfigMap may have 1 MiB; some of it is for what the server keeps of it.
_LARGEST = 1_000_000


class UpgradeError(Failure):
    """What is asked for does not fit the upgrade that is under way, or there is none."""

    code = "upgrade"


@dataclass(frozen=True)
class Side:
    """A control plane before or after: its version, and its revision as labels call it."""

    version: str
    revision: str

    def __str__(self) -> str:
        return f"{self.version} (revision {self.revision})"


@dataclass(frozen=True)
class Upgrade:
    """An upgrade, with images of the objects as they were before it."""

    strategy: str
    before: Side
    after: Side
    objects: Sequence[Object] = ()
    namespaces: Sequence[Mapping[str, Any]] = ()

    def __str__(self) -> str:
        return f"{self.before} -> {self.after}, {self.strategy}"

    def told(self) -> dict[str, Any]:
        """For a result."""
        return {"open": True, "strategy": self.strategy, "from": asdict(self.before), "to": asdict(self.after)}


NONE: Mapping[str, Any] = {"open": False}


def config_map(upgrade: Upgrade, namespace: str) -> Object:
    """The record. Raises UpgradeError when it is too large for one."""
    packed = _packed({"objects": list(upgrade.objects), "namespaces": list(upgrade.namespaces)})
    if len(packed) > _LARGEST:
        raise UpgradeError(
            "What there is to remember of this mesh is too much for a ConfigMap",
            subject=f"ConfigMap {namespace}/{NAME}",
            reason=f"{len(packed)} bytes of labels and webhooks, compressed; {_LARGEST} are possible",
            hint="Remove webhooks and tags of Istio that nobody uses; mesh_info lists them",
        )
    return {
        "apiVersion": "v1",
        "kind": CONFIG_MAP.kind,
        "metadata": {"name": NAME, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "istio"}},
        "data": {"upgrade": json.dumps(upgrade.told(), sort_keys=True), "before": packed},
    }


def key_of_record(namespace: str) -> Key:
    return Key("v1", CONFIG_MAP.kind, namespace, NAME)


def read_upgrade(client: Client, namespace: str) -> Upgrade | None:
    """The upgrade that is under way, or None. Raises UpgradeError for a record that nobody can read."""
    found = client.get(CONFIG_MAP, NAME, namespace)
    if found is None:
        return None
    try:
        return _unpacked(found["data"])
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise UpgradeError(
            f"The record of the upgrade on {client.name} cannot be read",
            subject=f"ConfigMap {namespace}/{NAME}",
            reason="somebody else has written it, or parts of it are missing",
            hint="Restore it from a backup; without it nothing knows how things were before the upgrade",
        ) from error


def require_upgrade(client: Client, namespace: str) -> Upgrade:
    """The upgrade that is under way. Raises UpgradeError where there is none."""
    upgrade = read_upgrade(client, namespace)
    if upgrade is None:
        raise UpgradeError(
            f"No upgrade is under way on {client.name}",
            subject=f"ConfigMap {namespace}/{NAME}",
            reason="its record does not exist: it has not begun, or it is over",
            hint="Begin it (upgrade_start), or look at what is installed (status)",
        )
    return upgrade


def _unpacked(data: Mapping[str, str]) -> Upgrade:
    told, before = json.loads(data["upgrade"]), json.loads(zlib.decompress(base64.b64decode(data["before"])))
    return Upgrade(told["strategy"], Side(**told["from"]), Side(**told["to"]), before["objects"], before["namespaces"])


def _packed(content: Any) -> str:
    return base64.b64encode(zlib.compress(json.dumps(content, sort_keys=True).encode(), 9)).decode()
