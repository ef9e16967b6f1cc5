# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The world as a check-mode run has planned it so far.

In check mode a namespace or CRD that an earlier task would create does not
exist for the tasks after it. So each task leaves what it would create in a host
fact, and the next one plans on top of it. Without such a fact a missing
namespace or CRD is an error, in check mode as in a run.

A fact may outlive its run in a fact cache, so it names the run that it belongs to. And the tasks of one host may be
about several clusters, so each server has a world of its own.
"""

from __future__ import annotations

import base64
import json
import uuid
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Object
from ..kube.resources import Resource

FACT = "service_mesh_istio_planned"
# One for each run of a playbook: the controller imports this file before it forks its workers.
RUN = uuid.uuid4().hex


@dataclass
class Planned:
    """Namespaces and CRDs that do not exist yet but will, if what was planned is done."""

    namespaces: set[str] = field(default_factory=set)
    crds: dict[str, Object] = field(default_factory=dict)

    @classmethod
    def from_fact(cls, fact: Mapping[str, Any]) -> Planned:
        crds = json.loads(zlib.decompress(base64.b64decode(fact["crds"]))) if fact["crds"] else {}
        return cls(set(fact["namespaces"]), crds)

    def as_fact(self) -> dict[str, Any]:
        """Small enough to travel with every task: 15 CRDs without their descriptions take some 15 KB."""
        packed = base64.b64encode(zlib.compress(json.dumps(self.crds).encode())).decode() if self.crds else ""
        return {"namespaces": sorted(self.namespaces), "crds": packed}

    def including(self, objects: Iterable[Object]) -> Planned:
        """This world with the namespaces and CRDs among some objects added."""
        world = Planned(set(self.namespaces), dict(self.crds))
        for content in objects:
            if content["kind"] == "Namespace":
                world.namespaces.add(content["metadata"]["name"])
            elif content["kind"] == "CustomResourceDefinition":
                world.crds.update(_by_group_kind(content))
        return world

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """Where objects of a planned kind will live, or None when it is not planned, or not in this version."""
        if self.schema(api_version, kind) is None:
            return None
        crd = self.crds[f"{kind}.{api_version.rpartition('/')[0]}"]
        return Resource(api_version, kind, crd["spec"]["names"]["plural"], crd["spec"]["scope"] == "Namespaced")

    def schema(self, api_version: str, kind: str) -> Object | None:
        """The structural schema of a planned kind in one version, or None when that version is not served."""
        group, _slash, version = api_version.rpartition("/")
        crd = self.crds.get(f"{kind}.{group}")
        for entry in crd["spec"]["versions"] if crd else []:
            if entry["name"] == version and entry["served"]:
                return dict(entry["schema"]["openAPIV3Schema"])
        return None


@dataclass(frozen=True)
class PlannedWorlds:
    """The worlds of all servers for which an inventory host's tasks have planned, by their URLs."""

    by_server: Mapping[str, Planned] = field(default_factory=dict)
    run: str = RUN

    @classmethod
    def from_fact(cls, fact: Mapping[str, Any]) -> PlannedWorlds:
        return cls({url: Planned.from_fact(world) for url, world in fact["by_server"].items()}, fact["run"])

    @classmethod
    def of_this_run(cls, fact: Mapping[str, Any] | None) -> PlannedWorlds:
        """What earlier tasks of this run have planned; what an earlier run left in a cache is not true any more."""
        return cls.from_fact(fact) if fact and fact.get("run") == RUN else cls()

    def as_fact(self) -> dict[str, Any]:
        return {"by_server": {url: world.as_fact() for url, world in self.by_server.items()}, "run": self.run}

    def of(self, url: str) -> Planned:
        return self.by_server.get(url) or Planned()

    def with_world(self, url: str, world: Planned) -> PlannedWorlds:
        return PlannedWorlds({**self.by_server, url: world}, self.run)


def _by_group_kind(crd: Object) -> dict[str, Object]:
    """A CRD by its kind and group; nothing where it cannot be right, because the server says best what is wrong."""
    try:
        essence = _essence(crd)
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return {f"{essence['spec']['names']['kind']}.{essence['spec']['group']}": essence}


def _essence(crd: Object) -> Object:
    """What is asked of a planned CRD: without its prose, which is nine tenths of it."""
    spec = crd["spec"]
    names = {key: spec["names"][key] for key in ("kind", "plural")}
    versions = [
        {
            "name": version["name"],
            "served": version.get("served", False),
            "schema": {"openAPIV3Schema": dict(_without_descriptions(version["schema"]["openAPIV3Schema"]))},
        }
        for version in spec["versions"]
    ]
    return {"spec": {"group": spec["group"], "names": names, "scope": spec["scope"], "versions": versions}}


def _without_descriptions(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_descriptions(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # A property may itself be called "description"; then its value is a schema, not a text.
    return {
        key: _without_descriptions(value)
        for key, value in schema.items()
        if not (key == "description" and isinstance(value, str))
    }
