# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phases in which a root takes the place of another, and how far a cluster is: by its Secret and by its proxies.

Nothing is remembered between runs. Each phase is done when everything shows it, and then the next one can harm nobody:

    trust   everybody holds both roots
    sign    everybody presents a certificate of the new root
    drop    nobody holds the old root

An istiod takes up other roots only when they contain those that it has, or are contained in them. Up to 1.29 that is
said of the text, not of the certificates (pilot/pkg/bootstrap/istio_ca.go, handleEvent): so texts grow at their end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from .certificates import Certificate, NotACertificate, certificates, root_of
from .presented import Shown
from .trust import Trust

TRUST, SIGN, DROP = "trust", "sign", "drop"
PHASES = (TRUST, SIGN, DROP)
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass(frozen=True)
class Aim:
    """The roots that shall be trusted in the end, and those of them by which is signed.

    What has ended `now` signs nothing any more.
    """

    roots: frozenset[Certificate]
    signing: frozenset[Certificate]
    now: datetime

    def signs(self, chain: Sequence[Certificate]) -> bool:
        """Whether a certificate leads, by what comes after it, to a root by which shall be signed.

        A root that is renewed with its key has signed what the former one has, so it may lead to both.
        """
        is_over = any(one.ends <= self.now for one in chain)
        return bool(chain) and not is_over and root_of(chain[0], chain[1:], [*self.signing]) is not None

    def anchor(self, shown: Shown) -> Certificate | None:
        """A root to which the certificate leads that a proxy presents, to name it."""
        known = sorted(self.roots | shown.holds, key=lambda one: one.fingerprint)
        return root_of(shown.chain[0], shown.chain[1:], known) if shown.chain else None


@dataclass(frozen=True)
class Lag:
    """Who is not as far as a phase, and why; `pod` is namespace and name of a proxy's Pod."""

    where: str
    reason: str
    pod: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


def lags_of(phase: str, shown: Iterable[Shown], aim: Aim) -> Iterator[Lag]:
    """Who of those that show something is not as far as the phase."""
    for one in shown:
        reason = one.trouble or _LAGS[phase](one, aim)
        if reason:
            yield Lag(one.where, reason, one.pod)


def _does_not_trust(one: Shown, aim: Aim) -> str:
    """Who has nothing yet is given what is handed out now: it harms nobody, and may wait for the signer that comes."""
    is_bare = one.is_proxy and not one.holds and not one.chain
    return "" if is_bare or aim.roots <= one.holds else "does not hold the new root yet"


def _presents_another(one: Shown, aim: Aim) -> str:
    if not one.is_proxy or aim.signs(one.chain):
        return ""
    if not one.chain:
        return "has no certificate of the mesh yet"
    leaf, anchor = one.chain[0], aim.anchor(one)
    told = f"the root {anchor}" if anchor else "no root that it holds"
    return f"presents a certificate of {told}, until {leaf.ends:%Y-%m-%d %H:%M} UTC"


def _holds_another(one: Shown, aim: Aim) -> str:
    more = one.holds - aim.roots
    return f"still holds the root {_named(more)}" if more else ""


_LAGS = {TRUST: _does_not_trust, SIGN: _presents_another, DROP: _holds_another}


def summary(lags: Sequence[Lag]) -> str:
    """The first one, and how many there are."""
    if not lags:
        return ""
    more = f", and {len(lags) - 1} more" if len(lags) > 1 else ""
    return f"{lags[0]}{more}"


def secret_is_there(phase: str, there: Trust, aim: Aim) -> bool:
    """Whether the Secret is as far as the phase. A cluster that signs nothing itself needs none."""
    if not there.source:
        return True
    roots = frozenset(there.roots)
    signs = aim.signs([there.signer, *there.chain] if there.signer else [])
    return {TRUST: aim.roots <= roots, SIGN: signs, DROP: roots == aim.roots}[phase]


def next_phase(there: Trust, shown: Sequence[Shown], aim: Aim) -> str:
    """The first phase that is not done; nothing when all are."""
    for phase in PHASES:
        if not secret_is_there(phase, there, aim) or any(lags_of(phase, shown, aim)):
            return phase
    return ""


def with_more(text: str, roots: Iterable[Certificate]) -> str:
    """A bundle that holds more roots, at its end."""
    return f"{_ended(text)}{''.join(one.pem for one in roots)}"


def touched(text: str) -> str:
    """The same bundle with another text: agents that are told of it ask for new certificates at once."""
    return f"{_ended(text)}\n"


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def without_others(text: str, roots: Sequence[Certificate]) -> str:
    """What of a bundle is left when it holds these roots alone: if that can be, a piece of it as it stands."""
    wanted = "".join(one.pem for one in roots)
    if wanted in text:
        return wanted
    blocks = [(found, _is_among(found.group(), roots)) for found in _BLOCK.finditer(text)]
    kept = [found for found, is_wanted in blocks if is_wanted]
    piece = text[kept[0].start() : kept[-1].end()]
    inside = [is_wanted for found, is_wanted in blocks if kept[0].start() <= found.start() <= kept[-1].start()]
    return _ended(piece) if all(inside) else "".join(_ended(found.group()) for found in kept)


def _is_among(pem: str, roots: Sequence[Certificate]) -> bool:
    try:
        return certificates(pem)[0] in roots
    except NotACertificate:
        return False


def _named(roots: Iterable[Certificate]) -> str:
    return " and ".join(sorted(map(str, roots)))
