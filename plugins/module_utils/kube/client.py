# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to one API server, as plain dictionaries.

Every request is counted by verb, dry runs apart. How a request travels, and what
of it is repeated, is the business of transport.py.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from .connection import Connection
from .errors import ApiError, Gone, NotFound, UnknownKind, Unreachable, error_from_status
from .exec import run_in_container
from .resources import KUBERNETES, Resource, ResourceTable, api_root, resources_of_group
from .text import did_you_mean, slip_of
from .transport import JSON, excerpt, exchange, read_status, was_repeated

try:
    import urllib3
except ImportError:  # connect() says which library is missing
    pass

Object = dict[str, Any]

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_METADATA = f"{JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1,{JSON}"
_METADATA_OF_ALL = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,{JSON}"
_PAGE = 500
_GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"
_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')


class Client:
    """One API server. Methods raise the errors of `errors.py` and nothing else."""

    def __init__(self, connection: Connection, known: ResourceTable | None = None) -> None:
        self.connection = connection
        self.name = connection.name
        self.requests: Counter[str] = Counter()
        self.warnings: list[str] = list(connection.warnings)
        self._known: dict[tuple[str, str], Resource] = {**KUBERNETES, **(known or {})}
        self._asked: set[str] = set()
        self._versions_of: dict[str, list[str]] = {}
        self._published: dict[str, Object] = {}
        self._date = ""
        self._lock = threading.Lock()
        self._discovery = threading.Lock()

    def resource(self, api_version: str, kind: str) -> Resource:
        """Where objects of this kind live. Raises UnknownKind when the server serves no such kind."""
        with self._discovery:  # who asks for a group at the same time waits for the answer
            if (api_version, kind) not in self._known and api_version not in self._asked:
                self._discover(api_version)
        found = self._known.get((api_version, kind))
        if found is None:
            raise UnknownKind(
                f"{self.name} does not serve the kind {kind} of {api_version}{self._near(api_version, kind)}",
                subject=f"{kind} ({api_version})",
            )
        return found

    @property
    def known(self) -> list[Resource]:
        """Where objects may live, as far as it is known without asking."""
        return list(self._known.values())

    def serves(self, resource: Resource) -> bool:
        """Whether the server serves a kind by now: it is asked anew, because a CRD may have come since."""
        place = resource.api_version, resource.kind
        with self._discovery:
            self._versions_of.clear()
            if place not in self._known:
                self._discover(resource.api_version)
            return place in self._known

    def _near(self, api_version: str, kind: str) -> str:
        """What may have been meant: the kind in another version, or another kind of the version."""
        versions = [version for version, known in self._known if known == kind]
        if versions:
            return f" (did you mean apiVersion '{versions[0]}'?)"
        return did_you_mean(kind, [known for version, known in self._known if version == api_version])

    def mistaken(self, api_version: str, kind: str) -> str:
        """` (did you mean …?)` where a kind that is not served can only be a slip of the hand, and no other tool's."""
        elsewhere = [version for version, known in self._known if known == kind]
        kinds = [known for version, known in self._known if version == api_version]
        if kinds and elsewhere:
            return f" (did you mean apiVersion '{elsewhere[0]}'?)"
        return slip_of(kind, kinds) or slip_of(api_version, elsewhere)

    def served(self, group_kind: str) -> Iterator[Resource]:
        """Where a kind may live, by its group alone (`Deployment.apps`): as it is known, then as the server says.

        Of the group's versions the server's preferred one comes first; it need not have the kind.
        """
        kind, _dot, group = group_kind.partition(".")
        known = [resource for resource in self._known.values() if resource.group_kind == group_kind]
        yield from known
        for version in self._versions(group) if group else ["v1"]:
            try:
                found = self.resource(version, kind)
            except UnknownKind:
                continue
            if found not in known:
                yield found

    def _versions(self, group: str) -> list[str]:
        if group not in self._versions_of:
            self._versions_of[group] = self._asked_versions(group)
        return self._versions_of[group]

    def _asked_versions(self, group: str) -> list[str]:
        try:
            answer = self._send("get", f"/apis/{group}", f"the versions of {group}")
        except (NotFound, UnknownKind):
            return []
        preferred = answer["preferredVersion"]["groupVersion"]
        return list(dict.fromkeys([preferred, *(entry["groupVersion"] for entry in answer["versions"])]))

    def _discover(self, api_version: str) -> None:
        try:
            answer = self._send("get", api_root(api_version), f"the kinds of {api_version}")
        except (NotFound, UnknownKind):
            answer = {}
        self._known.update(resources_of_group(api_version, answer))
        self._asked.add(api_version)  # only an answer counts: who could not be reached is asked again

    def schema(self, api_version: str, kind: str) -> Object | None:
        """What the server publishes of a kind (OpenAPI v3), or None; for a new CRD that takes it a moment."""
        with self._discovery:
            if api_version not in self._published:
                self._published[api_version] = self._schemas(api_version)
        group, _slash, version = api_version.rpartition("/")
        wanted = {"group": group, "version": version, "kind": kind}
        found = self._published[api_version].values()
        return next((schema for schema in found if wanted in schema.get(_GROUP_VERSION_KIND, ())), None)

    def _schemas(self, api_version: str) -> Object:
        try:
            answer = self._send("get", f"/openapi/v3{api_root(api_version)}", f"the schemas of {api_version}")
        except ApiError as error:
            if error.status != 404:  # of a version that it does not have, this path answers without a word
                raise
            return {}
        return dict(answer["components"]["schemas"])

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None. Raises UnknownKind when its CRD is not installed."""
        try:
            return self._send("get", resource.path(namespace, name), described(resource, name, namespace))
        except NotFound:
            return None

    def list_metadata(self, resource: Resource, namespace: str) -> Iterator[Object]:
        """The objects of a kind in a namespace without what they say, which may be secret."""
        return self.list_objects(resource, namespace, accept=_METADATA_OF_ALL)

    def list_objects(
        self,
        resource: Resource,
        namespace: str | None = None,
        labels: str = "",
        fields: str = "",
        accept: str = JSON,
    ) -> Iterator[Object]:
        """The objects of a kind, page by page.

        When a list takes so long that its continuation expires, it goes on with the server's present state, and what
        has come before is left out.
        """
        query = {"limit": str(_PAGE), "labelSelector": labels, "fieldSelector": fields}
        seen: set[tuple[str, str]] = set()
        while True:
            page = self._page(resource, namespace, query, accept)
            for item in page["items"] or ():  # of metadata alone, an empty list is null
                place = (item["metadata"].get("namespace") or "", item["metadata"]["name"])
                if place not in seen:
                    seen.add(place)  # items of a list carry no kind of their own
                    yield {"apiVersion": resource.api_version, "kind": resource.kind, **item}
            query["continue"] = page["metadata"].get("continue") or ""
            if not query["continue"]:
                return

    def _page(self, resource: Resource, namespace: str | None, query: dict[str, str], accept: str) -> Object:
        try:
            return self._send("list", resource.path(namespace), resource.plural, query=query, accept=accept)
        except Gone as error:
            # The answer brings a token for the rest of the list as it is now; without one it begins anew.
            query["continue"] = str(error.continuation)
            return self._send("list", resource.path(namespace), resource.plural, query=query, accept=accept)

    def apply(self, resource: Resource, desired: Object, manager: str, *, dry_run: bool, force: bool = False) -> Object:
        """Server-side apply, strictly validated. Raises Conflict when another manager owns a field.

        A dry run answers with the object as it would be, a write with its metadata alone: the rest has been seen. A
        write is not asked for strictness, which makes the server read it twice: an unknown field is refused anyway.
        """
        name, namespace = desired["metadata"]["name"], desired["metadata"].get("namespace")
        validation = "Strict" if dry_run else "Ignore"
        query = {"fieldManager": manager, "fieldValidation": validation, "force": "true" if force else ""}
        return self._write(
            "apply",
            resource,
            name,
            namespace,
            desired,
            method="PATCH",
            content=_APPLY,
            query=query,
            dry_run=dry_run,
            accept=JSON if dry_run else _METADATA,
        )

    def merge(
        self, resource: Resource, name: str, namespace: str | None, patch: Object, manager: str, *, dry_run: bool
    ) -> Object:
        """JSON merge patch: only for what server-side apply cannot: to remove or hand over what another manages."""
        return self._write(
            "patch",
            resource,
            name,
            namespace,
            patch,
            method="PATCH",
            content=_MERGE,
            query={"fieldManager": manager},
            dry_run=dry_run,
        )

    def create(self, resource: Resource, content: Object, manager: str) -> Object:
        """Create an object that must not exist."""
        metadata = content["metadata"]
        subject = described(resource, metadata["name"], metadata.get("namespace"))
        path = resource.path(metadata.get("namespace"))
        return self._send("create", path, subject, method="POST", body=content, query={"fieldManager": manager})

    def replace(self, resource: Resource, content: Object, manager: str, *, dry_run: bool) -> Object:
        """Replace an object as a whole: only to put back what was there. Its resourceVersion guards it."""
        name, namespace = content["metadata"]["name"], content["metadata"].get("namespace")
        query = {"fieldManager": manager}
        return self._write("replace", resource, name, namespace, content, method="PUT", query=query, dry_run=dry_run)

    def delete(
        self, resource: Resource, name: str, namespace: str | None, *, uid: str, version: str = "", dry_run: bool
    ) -> None:
        """Delete exactly the object that was seen, and with a version only as it was; one that is gone is fine."""
        # A DELETE with a body takes its options from the body alone: the query's dryRun only shows in the audit log.
        options = {"dryRun": ["All"]} if dry_run else {}
        seen = {"uid": uid, **({"resourceVersion": version} if version else {})}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": seen, **options}
        try:
            self._write("delete", resource, name, namespace, body, method="DELETE", dry_run=dry_run)
        except NotFound:
            return

    def ask(
        self, resource: Resource, question: Object, namespace: str | None = None, *, dry_run: bool = False
    ) -> Object:
        """POST of something that the server answers and does not keep (an access review, a dry run)."""
        query = {"dryRun": "All"} if dry_run else {}
        subject = described(resource, question.get("metadata", {}).get("name", ""), namespace)
        return self._send("create", resource.path(namespace), subject, method="POST", body=question, query=query)

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str], seconds: float) -> str:
        """What a command in a container prints."""
        self._count("exec")
        return run_in_container(self.connection, namespace, pod, container, command, seconds)

    @property
    def moment(self) -> datetime | None:
        """The time of the server when it answered last, in full seconds; None where it does not tell."""
        with suppress(ValueError):
            return parsedate_to_datetime(self._date)
        return None

    def version(self) -> Mapping[str, Any]:
        """The server's answer to /version."""
        return self._send("get", "/version", "the server's version")

    def watch(
        self,
        resource: Resource,
        namespace: str | None,
        *,
        fields: str = "",
        labels: str = "",
        since: str = "",
        seconds: float,
    ) -> Iterator[tuple[str, Object]]:
        """Events of a collection until the time is up or the server ends the stream."""
        query = {"watch": "true", "resourceVersion": since, "allowWatchBookmarks": "true"}
        query |= {"fieldSelector": fields, "labelSelector": labels, "timeoutSeconds": str(max(1, int(seconds)))}
        self._count("watch")
        answer = exchange(
            self.connection, "GET", resource.path(namespace), resource.plural, query=query, timeout=seconds, stream=True
        )
        try:
            if answer.status >= 300:
                status = read_status(answer.read())
                raise error_from_status("watch", resource.plural, self.name, answer.status, status)
            yield from _events(answer, resource.plural)
        except (urllib3.exceptions.HTTPError, OSError):
            return  # the stream broke: whoever waits reads the state again
        finally:
            answer.close()

    def _write(
        self,
        verb: str,
        resource: Resource,
        name: str,
        namespace: str | None,
        body: Object,
        *,
        method: str,
        dry_run: bool,
        content: str = JSON,
        query: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Object:
        asked = {**(query or {}), **({"dryRun": "All"} if dry_run else {})}
        subject = described(resource, name, namespace)
        counted = f"{verb} (dry run)" if dry_run else verb
        path = resource.path(namespace, name)
        return self._send(
            verb, path, subject, method=method, query=asked, body=body, content=content, counted=counted, accept=accept
        )

    def _send(
        self,
        verb: str,
        path: str,
        subject: str,
        *,
        method: str = "GET",
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content: str = JSON,
        counted: str = "",
        accept: str = JSON,
    ) -> Object:
        self._count(counted or verb)
        answer = exchange(
            self.connection,
            method,
            path,
            subject,
            query=query or {},
            body=body,
            content=content,
            accept=accept,
            timeout=self.connection.options.request_timeout,
        )
        self._keep_warnings(answer.headers.getlist("Warning"))
        self._date = answer.headers.get("Date") or self._date
        text = answer.data
        if answer.status < 300:
            return _object(text, subject)
        error = error_from_status(verb, subject, self.name, answer.status, read_status(text), body)
        error.was_repeated = was_repeated(answer)
        raise error

    def _count(self, verb: str) -> None:
        with self._lock:
            self.requests[verb] += 1

    def _keep_warnings(self, values: Sequence[str]) -> None:
        for text in _WARNING.findall(", ".join(values)):
            if text not in self.warnings:
                self.warnings.append(text)


def described(resource: Resource, name: str, namespace: str | None) -> str:
    """`VirtualService web/shop`: how every message names an object."""
    place = "/".join(part for part in (namespace, name) if part)
    return f"{resource.kind} {place}".strip()


def _events(answer: urllib3.BaseHTTPResponse, subject: str) -> Iterator[tuple[str, Object]]:
    """Raises Unreachable for a stream that is none of events: a proxy in between may answer as it likes."""
    buffer = b""
    for chunk in answer.stream(65536):
        buffer += chunk
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            yield _event(line, subject)
    if buffer.strip():
        yield _event(buffer, subject)


def _event(line: bytes, subject: str) -> tuple[str, Object]:
    event = _object(line, subject)
    if not isinstance(event.get("type"), str) or not isinstance(event.get("object"), dict):
        raise Unreachable(f"The answer for {subject} is no event", subject=subject, reason=excerpt(line))
    return event["type"], event["object"]


def _object(text: bytes, subject: str) -> Object:
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise Unreachable(f"The answer for {subject} is not JSON", subject=subject, reason=excerpt(text)) from error
    if not isinstance(answer, dict):
        raise Unreachable(f"The answer for {subject} is not an object", subject=subject, reason=excerpt(text))
    return answer


def remaining(deadline: float) -> float:
    """Seconds until a deadline of time.monotonic(), never negative."""
    return max(0.0, deadline - time.monotonic())
