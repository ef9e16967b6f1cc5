# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster signs its proxies' certificates with, what it trusts, and whether several clusters trust each other.

Source of the names: istio.io, "Plug in CA Certificates", and pilot/pkg/bootstrap/istio_ca.go, which takes the names of
a TLS Secret first; pkg/config/constants for the ConfigMap.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..kube.client import Object
from ..kube.resources import CONFIG_MAP, SECRET
from .certificates import Certificate, NotACertificate, certificates, path_of, root_of, short, too_short

PLUGGED_IN, SELF_SIGNED, DISTRIBUTED = "cacerts", "istio-ca-secret", "istio-ca-root-cert"
AUTHORITIES = (PLUGGED_IN, SELF_SIGNED)
DISTRIBUTED_KEY = "root-cert.pem"


@dataclass(frozen=True)
class Shape:
    """Under which names a Secret keeps signer, key, chain and roots."""

    signer: str
    key: str
    chain: str
    roots: str

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.signer, self.key, self.chain, self.roots)))


TLS = Shape("tls.crt", "tls.key", "tls.crt", "ca.crt")
ISTIO = Shape("ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem")


@dataclass(frozen=True)
class Trust:
    """The authority of one cluster. Without a `source` it has none yet; istiod would make one of its own."""

    source: str = ""
    roots: tuple[Certificate, ...] = ()
    signer: Certificate | None = None
    chain: tuple[Certificate, ...] = ()
    distributed: tuple[Certificate, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def anchor(self) -> Certificate | None:
        """The root that proxies of this cluster are known by elsewhere."""
        return root_of(self.signer, self.chain, self.roots) if self.signer else None

    @property
    def anchors(self) -> tuple[Certificate, ...]:
        """All of them: a root that is renewed with its key has signed what the former one has."""
        return tuple(one for one in self.roots if self.signer and root_of(self.signer, self.chain, [one]))

    def has_ended(self, now: datetime) -> bool:
        """Whether nobody trusts anybody by what it signs any more."""
        roots = self.anchors or self.roots
        return bool(roots) and all(one.ends <= now for one in roots)

    def told(self, now: datetime) -> dict[str, Any]:
        """What people and playbooks are told: public parts, and what is wrong with them."""
        return {
            "source": self.source,
            "roots": [root.told() for root in self.roots],
            "signer": self.signer.told() if self.signer else {},
            "anchor": self.anchor.fingerprint if self.anchor else "",
            "anchors": [root.fingerprint for root in self.anchors],
            "distributed": [root.fingerprint for root in self.distributed],
            "first_end": min((one.ends for one in self._all), default=now).isoformat() if self._all else "",
            "problems": list(problems(self, now)),
        }

    @property
    def _all(self) -> tuple[Certificate, ...]:
        return (*((self.signer,) if self.signer else ()), *self.chain, *self.roots)

    def outside(self, now: datetime, leaving: Collection[Certificate] = ()) -> Iterator[str]:
        """Certificates that are not valid at a moment, and why; of those that leave anyway nothing is said."""
        for one in (one for one in dict.fromkeys(self._all) if one not in leaving):
            if one.ends <= now:
                yield f"the certificate {one} has expired on {one.ends:%Y-%m-%d %H:%M} UTC"
            if one.begins > now:
                yield (
                    f"the certificate {one} is not valid before {one.begins:%Y-%m-%d %H:%M} UTC, and here it is "
                    f"{now:%Y-%m-%d %H:%M} UTC: compare the clocks of this machine and of the one that issued it"
                )


@dataclass
class _Reader:
    """Certificates of one object, with a note of what cannot be read."""

    place: str
    texts: Mapping[str, str]
    unreadable: list[str] = field(default_factory=list)

    def read(self, key: str) -> tuple[Certificate, ...]:
        try:
            return tuple(certificates(self.texts.get(key, "")))
        except NotACertificate:
            what = "holds no certificate that can be read" if self.texts.get(key) else "is missing"
            self.unreadable.append(f"{key} of {self.place} {what}")
            return ()


def trust_of(objects: Iterable[Object]) -> Trust:
    """The authority of a cluster, from those of `cacerts`, `istio-ca-secret` and `istio-ca-root-cert` that it has."""
    found = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    secrets = [found[SECRET.kind, name] for name in AUTHORITIES if (SECRET.kind, name) in found]
    distributed = _distributed(found.get((CONFIG_MAP.kind, DISTRIBUTED)))
    return _of_secret(secrets[0], distributed) if secrets else Trust(distributed=distributed)


def _distributed(config_map: Object | None) -> tuple[Certificate, ...]:
    texts = (config_map or {}).get("data") or {}
    return _Reader(DISTRIBUTED, texts).read(DISTRIBUTED_KEY)


def shape_of(texts: Mapping[str, str]) -> Shape:
    return TLS if TLS.signer in texts else ISTIO


def texts_of(secret: Object) -> dict[str, str]:
    """The data of a Secret, decoded; what is no text holds no certificate either."""
    return {key: _decoded(value) for key, value in (secret.get("data") or {}).items()}


def _decoded(value: str) -> str:
    return base64.b64decode(value or "").decode("utf-8", "replace")


def _of_secret(secret: Object, distributed: tuple[Certificate, ...]) -> Trust:
    metadata, texts = secret["metadata"], texts_of(secret)
    shape = shape_of(texts)
    reader = _Reader(f"Secret {metadata['namespace']}/{metadata['name']}", texts)
    signer = reader.read(shape.signer)
    # The root that istiod has made for itself is its own signer, and may stand nowhere else.
    alone = metadata["name"] == SELF_SIGNED and not texts.get(shape.roots)
    roots = signer if alone else reader.read(shape.roots)
    chain = reader.read(shape.chain) if texts.get(shape.chain) else ()
    return Trust(metadata["name"], roots, next(iter(signer), None), chain, distributed, tuple(reader.unreadable))


def problems(trust: Trust, now: datetime, leaving: Collection[Certificate] = ()) -> Iterator[str]:
    """What is wrong with the authority of one cluster; the end of a certificate that leaves anyway is not."""
    yield from trust.unreadable
    if trust.signer and trust.roots and not trust.anchor:
        roots = " and ".join(map(str, trust.roots))
        yield f"the certificate {trust.signer} does not lead to the root beside it, {roots}"
    path = (path_of(trust.signer, trust.chain, trust.roots) or (trust.signer,)) if trust.signer else ()
    for one in path:
        if not one.is_authority and not (one == path[-1] and one.is_of_old):
            yield f"the certificate {one} may not sign others: it is not the certificate of an authority"
    for one in too_short(path):
        yield f"the certificate {one} allows fewer authorities below it (pathlen:{one.path_length}) than there are"
    yield from trust.outside(now, leaving)


def disagreements(told: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Between which clusters no trust is possible, naming both; from what each of them tells of itself.

    A proxy accepts another one when a root that this one's certificate leads to is among its own roots.
    """
    names = sorted(name for name, trust in told.items() if trust["source"])
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            if not (_accepts(told[one], told[other]) and _accepts(told[other], told[one])):
                yield (
                    f"{one} and {other} do not trust each other: {one} has the root {_roots(told[one])}, "
                    f"{other} the root {_roots(told[other])}"
                )


def _accepts(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(root["fingerprint"] in other["anchors"] for root in one["roots"])


def _roots(trust: Mapping[str, Any]) -> str:
    roots: Sequence[Mapping[str, Any]] = trust["roots"]
    return " and ".join(f"'{root['subject']}' ({short(root['fingerprint'])})" for root in roots) or "(none readable)"
