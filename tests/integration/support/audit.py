"""What was really persisted, from the API server's own audit log: the judge of `changed`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_MUTATING = ("create", "update", "patch", "delete", "deletecollection")
# Answered, and not kept.
_QUESTIONS = (
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "subjectaccessreviews",
    "selfsubjectreviews",
    "tokenreviews",
)
AGENT = "service_mesh.istio"


@dataclass(frozen=True)
class Audit:
    """The log of one API server, which writes each line before it answers."""

    path: Path

    def mark(self) -> int:
        """Where the log ends now."""
        return self.path.stat().st_size

    def requests(self, since: int, agent: str = AGENT) -> Iterator[dict[str, Any]]:
        """What a user agent has asked since a mark."""
        with self.path.open("rb") as log:
            log.seek(max(since - 1, 0))
            if since and not log.readline().endswith(b"\n"):
                return  # somebody's line, of which a part was there at the mark
            for line in log:
                if not line.endswith(b"\n"):
                    return  # it is being written just now
                event = json.loads(line)
                if event.get("userAgent", "").startswith(agent) and event["stage"] == "ResponseComplete":
                    yield event

    def persisted(self, since: int, agent: str = AGENT) -> list[str]:
        """The changes that a user agent has made since a mark, in words."""
        return [_words(event) for event in self.requests(since, agent) if _persists(event)]

    def created(self, since: int, agent: str = AGENT) -> set[tuple[str, str, str]]:
        """The objects that a user agent has made since a mark: resource with its group, namespace and name.

        An apply, too, is answered with 201 where there was no such object.
        """
        made = [event for event in self.requests(since, agent) if _persists(event)]
        return {_object(event["objectRef"]) for event in made if event.get("responseStatus", {}).get("code") == 201}


def _persists(event: dict[str, Any]) -> bool:
    reference = event.get("objectRef") or {}
    dry = parse_qs(urlsplit(event["requestURI"]).query).get("dryRun")
    answered = event.get("responseStatus", {}).get("code", 0) < 300
    asked = reference.get("resource") in _QUESTIONS or reference.get("subresource") == "token"
    return event["verb"] in _MUTATING and answered and not dry and not asked


def _object(reference: dict[str, Any]) -> tuple[str, str, str]:
    resource = ".".join(part for part in (reference["resource"], reference.get("apiGroup")) if part)
    return resource, reference.get("namespace", ""), reference["name"]


def _words(event: dict[str, Any]) -> str:
    reference = event["objectRef"]
    place = "/".join(part for part in (reference.get("namespace"), reference.get("name")) if part)
    return f"{event['verb']} {reference['resource']} {place}"
