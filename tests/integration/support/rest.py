"""Requests of tests to an API server, without kubectl's process for each."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config

Made = dict[str, Any]

JSON = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
# All kinds of a server in two answers: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_PATIENCE = 10.0  # a CRD is established a little before its kind is told


@dataclass(frozen=True)
class Resource:
    """What a server calls a kind, and where its objects are."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    names: frozenset[str]

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, name: str = "", namespace: str = "") -> str:
        """Of an object, or without a name of all of them, without a namespace in all namespaces."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{place}/{self.plural}{f'/{name}' if name else ''}"


@dataclass(frozen=True)
class Rest:
    """The server of a kubeconfig, asked as its user."""

    server: str
    pool: urllib3.PoolManager
    _known: list[Resource] = field(default_factory=list)

    @classmethod
    @cache
    def of(cls, kubeconfig: str) -> Rest:
        wanted = client.Configuration()
        config.load_kube_config(kubeconfig, client_configuration=wanted)  # type: ignore[no-untyped-call]
        # Read now: the library's copies of keys in a kubeconfig are gone when a module of ours has connected.
        context = ssl.create_default_context(cafile=wanted.ssl_ca_cert)
        if wanted.cert_file:
            context.load_cert_chain(wanted.cert_file, wanted.key_file)
        given: Any = wanted.auth_settings().values()
        headers = {"User-Agent": "tests", **{one["key"]: one["value"] for one in given if one["in"] == "header"}}
        return cls(wanted.host, urllib3.PoolManager(maxsize=8, ssl_context=context, headers=headers))

    def get(self, path: str) -> Made:
        return self.send("GET", path)

    def items(self, path: str) -> list[Made]:
        found: list[Made] = self.get(path)["items"]
        return found

    def create(self, path: str, content: Made, quietly: bool = False) -> Made:
        return self.send("POST", path, content, quietly=quietly)

    def patch(self, path: str, change: Any, kind: str = MERGE, **options: str) -> Made:
        query = f"?{urlencode(options)}" if options else ""
        return self.send("PATCH", path + query, change, kind)

    def apply(self, item: Made, manager: str) -> Made:
        """Server-side apply, without force, as kubectl does it."""
        kind, metadata = self.kind(item["apiVersion"], item["kind"]), item["metadata"]
        path = kind.path(metadata["name"], metadata.get("namespace", "default"))
        return self.patch(path, item, APPLY, fieldManager=manager, fieldValidation="Strict")

    def resource(self, name: str) -> Resource:
        """By any of the names that kubectl takes for it: singular, plural, short, kind, each with its group or not."""
        return self._found(f"resource {name}", lambda known: name.lower() in known.names)

    def kind(self, api_version: str, kind: str) -> Resource:
        wanted = (api_version, kind)
        return self._found(f"{api_version} {kind}", lambda known: (known.api_version, known.kind) == wanted)

    def _found(self, what: str, matches: Callable[[Resource], bool]) -> Resource:
        until = time.monotonic() + _PATIENCE
        while True:
            if found := next(filter(matches, self._known), None):
                return found
            assert time.monotonic() < until, f"the server has no {what}"
            self._known[:] = [one for path in ("/api", "/apis") for one in self._discovered(path)]
            time.sleep(0.1)

    def _discovered(self, path: str) -> Iterator[Resource]:
        for group in self.send("GET", path, accept=_DISCOVERY)["items"]:
            for version in group["versions"]:
                for told in version["resources"]:
                    yield _resource(group["metadata"].get("name", ""), version["version"], told)

    def send(
        self, method: str, path: str, content: Any = None, kind: str = JSON, quietly: bool = False, accept: str = JSON
    ) -> Made:
        """The answer; an error fails the test with what the server says."""
        body = None if content is None else json.dumps(content)
        headers = {**self.pool.headers, "Content-Type": kind, "Accept": accept}
        try:
            answer = self.pool.request(method, self.server + path, body=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error}") from error
        text = answer.data.decode()
        assert quietly or answer.status < 300, f"{method} {path}: {text}"
        found: Made = json.loads(text)
        return found


def _resource(group: str, version: str, told: Made) -> Resource:
    kind = told["responseKind"]["kind"]
    short = {told["resource"], told.get("singularResource", ""), kind.lower(), *told.get("shortNames", [])} - {""}
    names = {f"{name}{more}" for name in short for more in ("", f".{group}", f".{version}.{group}")}
    return Resource(group, version, kind, told["resource"], told["scope"] == "Namespaced", frozenset(names))
