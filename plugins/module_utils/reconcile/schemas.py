# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schemas of kinds: of CRDs that are only planned, and as the API server publishes them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..kube.client import Client, Object
from .objects import Key
from .planned import Planned
from .schema import ObjectSchema, usable


class Schemas:
    """What objects of a kind must look like, each schema read and made ready once."""

    def __init__(self, client: Client, planned: Planned) -> None:
        self._client = client
        self._planned = planned
        self._ready: dict[tuple[str, str, str], ObjectSchema | None] = {}
        self._lock = threading.Lock()

    def planned(self, key: Key) -> ObjectSchema | None:
        """By the CRD that an earlier step would bring, or None: where none would, or what it says is no schema."""
        return self._schema("planned", key, self._planned.schema)

    def published(self, key: Key) -> ObjectSchema | None:
        """As the server publishes it, or None: of a new CRD, and where it is none or in pieces (Kubernetes' own)."""
        return self._schema("published", key, self._client.schema)

    def _schema(self, source: str, key: Key, find: Callable[[str, str], Object | None]) -> ObjectSchema | None:
        place = (source, key.api_version, key.kind)
        with self._lock:
            if place not in self._ready:
                found = find(key.api_version, key.kind)
                self._ready[place] = usable(found) if found else None
            return self._ready[place]
