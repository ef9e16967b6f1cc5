"""Which request meets which fault.

Chance is drawn from the seed, the request and how often it has come, never from a sequence: requests that run in
parallel arrive in any order, and a seed shall mean the same faults every time.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from .catalogue import Fault

_WRITES = {"POST": "create", "PUT": "update", "DELETE": "delete"}
_API = re.compile(r"/api/[^/]+/|/apis/[^/]+/[^/]+/")
_PLACE = re.compile(r"namespaces/[^/]+/(?=.)")


@dataclass(frozen=True)
class Asked:
    """One request as rules see it: `verb` is what Kubernetes calls it, of PATCH requests `apply` or `patch`."""

    verb: str
    target: str
    dry_run: bool = False

    @classmethod
    def of(cls, method: str, target: str, content: str = "", body: bytes = b"") -> Asked:
        query = parse_qs(urlsplit(target).query)
        # The options of a DELETE are in its body.
        dry_run = "dryRun" in query or (method == "DELETE" and b'"dryRun"' in body)
        return cls(_verb(method, urlsplit(target).path, query, content), target, dry_run)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def identity(self) -> str:
        """What stays the same when the request comes again: not its continue token, resource version or timeout."""
        return f"{self.verb} {self.path} {self.dry_run}"


def _verb(method: str, path: str, query: dict[str, list[str]], content: str) -> str:
    if method == "PATCH":
        return "apply" if "apply-patch" in content else "patch"
    if method != "GET":
        return _WRITES.get(method, method.lower())
    if "watch" in query:
        return "watch"
    rest, in_api = _API.subn("", path, count=1)
    return "list" if in_api and "/" not in _PLACE.sub("", rest) else "get"


@dataclass(frozen=True)
class Rule:
    """A fault, or by chance one of several, for requests that match everything that is given here.

    `path` is a regular expression, searched in path and query; `nth` holds numbers, from 1, among those that match.
    """

    faults: Fault | Sequence[Fault]
    verb: str = ""
    path: str = ""
    dry_run: bool | None = None
    nth: Container[int] | None = None
    probability: float = 1.0

    @property
    def choice(self) -> Sequence[Fault]:
        return [self.faults] if isinstance(self.faults, Fault) else self.faults

    def matches(self, asked: Asked) -> bool:
        return (
            self.verb in ("", asked.verb)
            and self.dry_run in (None, asked.dry_run)
            and re.search(self.path, asked.target) is not None
        )


@dataclass
class Entry:
    """One line of the log: what was asked, what was done to it, and the server's own status (0: it was not asked)."""

    asked: Asked
    fault: Fault | None
    status: int = 0
    at: float = field(default_factory=time.monotonic)

    @property
    def what(self) -> str:
        return self.fault.name if self.fault else ""


@dataclass
class Script:
    """Rules with the memory of what has come so far. The first rule that strikes decides."""

    rules: Sequence[Rule]
    seed: int = 0
    _matched: Counter[int] = field(default_factory=Counter)
    _seen: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, asked: Asked) -> Fault | None:
        with self._lock:
            self._seen[asked.identity] += 1
            chance = f"{self.seed} {asked.identity} {self._seen[asked.identity]}"
            struck = [self._strikes(number, rule, asked, chance) for number, rule in enumerate(self.rules)]
        return next((fault for fault in struck if fault), None)

    def _strikes(self, number: int, rule: Rule, asked: Asked, chance: str) -> Fault | None:
        faults = [fault for fault in rule.choice if asked.verb in fault.verbs]
        if not faults or not rule.matches(asked):
            return None
        self._matched[number] += 1
        if rule.nth is not None and self._matched[number] not in rule.nth:
            return None
        drawn = random.Random(f"{chance} {number}")
        return drawn.choice(faults) if drawn.random() < rule.probability else None
