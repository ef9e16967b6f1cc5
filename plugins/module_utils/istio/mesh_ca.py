# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Secret `cacerts`: by which root and by which intermediate a cluster's istiod signs.

What a cluster has is kept for as long as it is right: an intermediate is made anew when there is none, when it leads to
no root, or when it ends soon. A root never changes in place: proxies hold certificates of the old one and would refuse
those of the new one.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ..kube.client import Client, Object
from ..kube.errors import Failure
from ..kube.resources import CONFIG_MAP, DEPLOYMENT, NAMESPACE, SECRET
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from .certificates import Certificate, certificates
from .facts import ISTIOD_SELECTOR, KEYED_LISTS, MANAGER_PREFIX, ROOT_NAMESPACE
from .issuing import EARLIER, BadAuthority, Root, key_block, made_root, made_signer
from .root_file import keep, readable_by_others, stored_root
from .trust import (
    AUTHORITIES,
    DISTRIBUTED,
    ISTIO,
    PLUGGED_IN,
    SELF_SIGNED,
    TLS,
    Trust,
    problems,
    shape_of,
    texts_of,
    trust_of,
)

MANAGER = f"{MANAGER_PREFIX}mesh_ca"


class RootChange(Failure):
    """The root would change under running proxies."""

    code = "root_change"


@dataclass(frozen=True)
class Given:
    """What somebody else has signed: the intermediate, its key, and what is between it and the root."""

    certificate: str
    key: str
    chain: str


@dataclass(frozen=True)
class MeshCa:
    """What a cluster's authority shall be. Without `root` the root is in `root_file`, and made when that is missing.

    `rotate` is the phase of a rotation, for which proxies are waited for.
    """

    cluster_name: str
    mesh_id: str
    namespace: str = ROOT_NAMESPACE
    root_file: str = ""
    root: Root | None = None
    given: Given | None = None
    lifetime: timedelta = timedelta(days=730)
    root_days: int = 3650
    renew_before: timedelta = timedelta(days=60)
    take_ownership_from: tuple[str, ...] = ()
    rotate: str = ""
    wait_timeout: float = 300.0


def run_mesh_ca(run: Run, wanted: MeshCa, clock: Callable[[], datetime] | None = None) -> Outcome:
    """Bring the Secret to what it shall be."""
    now = (clock or right_now)()
    found = found_in(run.client, wanted.namespace)
    there = trust_of(found)
    root, is_new = wanted_root(wanted, now)
    _refuse_change(run.client, wanted, there, root, now, is_new=is_new)
    if is_new:
        require_clock(run.client, wanted)
    if is_new and not run.check_mode:
        root = keep(root, wanted.root_file)
        _refuse_change(run.client, wanted, there, root, now)
    secret = _desired(wanted, root, found, there, now)
    require_right(wanted, secret, now)
    if trust_of([secret]).signer != there.signer:
        require_clock(run.client, wanted)
    objects = [*_namespace(run, wanted.namespace), *([] if shape_of(texts_of(secret)) is TLS else [secret])]
    outcome = written(run, wanted, objects)
    # A root that is only planned is nobody's yet: every cluster of the plan would be told another one.
    is_planned = is_new and run.check_mode
    told = _planned(there, now) if is_planned else trust_of([*found, secret])
    outcome.extra = {"trust": told.told(now)}
    if there.has_ended(now) and {*there.roots} != {*root.certificates}:
        outcome.warnings.append(_replaced(wanted, there, "a new one" if is_planned else named(root.certificates)))
    outcome.warnings += _warnings(wanted, told, now)
    return outcome


def _planned(there: Trust, now: datetime) -> Trust:
    """What is left while a new root is only planned: one that has ended is no root any more."""
    return Trust(distributed=there.distributed) if there.has_ended(now) else there


def written(run: Run, wanted: MeshCa, objects: Iterable[Object]) -> Outcome:
    """Bring the cluster to these objects."""
    owner = Owner(MANAGER, wanted.take_ownership_from, keyed_lists=KEYED_LISTS)
    return reconcile(run, owner, [Desired(content, source=f"cluster {wanted.cluster_name}") for content in objects])


def right_now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def found_in(client: Client, namespace: str) -> list[Object]:
    secrets = (client.get(SECRET, name, namespace) for name in AUTHORITIES)
    return [found for found in (*secrets, client.get(CONFIG_MAP, DISTRIBUTED, namespace)) if found]


def wanted_root(wanted: MeshCa, now: datetime) -> tuple[Root, bool]:
    """The root, and whether it is in no file yet."""
    root = wanted.root or stored_root(wanted.root_file)
    return (root, False) if root else (made_root(wanted.mesh_id, wanted.root_days, now), True)


def _refuse_change(
    client: Client, wanted: MeshCa, there: Trust, root: Root, now: datetime, *, is_new: bool = False
) -> None:
    if not there.roots or {*there.roots} == {*root.certificates} or _can_be_replaced(there, root, now):
        return
    planes = client.list_objects(DEPLOYMENT, wanted.namespace, labels=ISTIOD_SELECTOR)
    if there.source == SELF_SIGNED and not any(planes):
        return  # what an istiod that is gone has left behind is nobody's root any more
    place = f"Secret {wanted.namespace}/{there.source}"
    if is_new and there.source != SELF_SIGNED:
        why, hint = f"there is no root file {wanted.root_file}, so another root would be made", _LOST_HINT
    else:
        under_way = not {*there.roots}.isdisjoint(root.certificates)
        refuse = "proxies would refuse each other until all of them have been restarted"
        why, hint = f"{named(root.certificates)} is wanted: {refuse}", _UNDER_WAY_HINT if under_way else _ROOT_HINT
    raise RootChange(
        f"The root of {wanted.cluster_name} would change in place",
        subject=place,
        reason=f"{place} on {client.name} has the root {named(there.roots)}, and {why}",
        hint=hint,
    )


def _can_be_replaced(there: Trust, root: Root, now: datetime) -> bool:
    """Whether nobody trusts anybody by what is signed now, and by no other root either: no trust is lost at once."""
    return there.has_ended(now) and {one for one in there.roots if one.ends > now} <= {*root.certificates}


_LOST_HINT = (
    "Restore that file, or name the one that has this root (mesh_clusters_root_file). Where its key is lost, name a "
    "new file and run the playbook rotate_ca, which makes another root there and brings it without an outage"
)
_UNDER_WAY_HINT = (
    "A rotation of the root is under way: the playbook rotate_ca brings it to its end, with the root of the inventory"
)
_ROOT_HINT = (
    "Give the root that the cluster has; or let the playbook rotate_ca bring this one in its place without an outage; "
    "or, where an outage of all its mutual TLS is no matter, delete that Secret first and restart istiod and all "
    "proxies afterwards"
)


def named(roots: tuple[Certificate, ...]) -> str:
    return " and ".join(map(str, roots))


def _desired(wanted: MeshCa, root: Root, found: list[Object], there: Trust, now: datetime) -> Object:
    """The Secret as it shall be: what was given, what is there and right, or a new one."""
    end = _end(wanted, root, now)
    if wanted.given:
        return secret_of(wanted.namespace, signed_texts(wanted, root, now))
    live = next((texts_of(one) for one in found if one["metadata"]["name"] == PLUGGED_IN), {})
    if there.source == PLUGGED_IN and _is_right(there, end, wanted.renew_before, now):
        return secret_of(wanted.namespace, {key: live[key] for key in shape_of(live).keys if key in live})
    if shape_of(live) is TLS:
        raise BadAuthority(
            f"The certificates of {wanted.cluster_name} are kept by somebody else",
            subject=f"Secret {wanted.namespace}/{PLUGGED_IN}",
            reason="it is a TLS Secret, as cert-manager makes them, and its certificates have to be renewed",
            hint="Look at who renews it (its managedFields name the manager)",
        )
    return secret_of(wanted.namespace, signed_texts(wanted, root, now))


def _end(wanted: MeshCa, root: Root, now: datetime) -> datetime:
    return min([now + wanted.lifetime, *(one.ends for one in root.certificates if one == root.signer)])


def signed_texts(wanted: MeshCa, root: Root, now: datetime) -> dict[str, str]:
    """What the root has signed for this cluster: what was given, or a new one."""
    if wanted.given:
        return _texts(wanted.given.certificate, wanted.given.key, wanted.given.chain, root)
    host = f"istiod.{wanted.namespace}.svc"
    signer, key = made_signer(root, (wanted.mesh_id, wanted.cluster_name), host, _end(wanted, root, now), now)
    return _texts(signer.pem, key, "", root)


def _is_right(there: Trust, end: datetime, renew_before: timedelta, now: datetime) -> bool:
    """Whether what is there stays. One that ends soon stays, too, when a new one would end no later."""
    signer = there.signer
    if signer is None or any(problems(there, now)):
        return False
    return signer.ends > now + renew_before or signer.ends >= end


def _texts(certificate: str, key: str, chain: str, root: Root) -> dict[str, str]:
    """The chain that proxies present begins with the signer itself."""
    above = [*certificates(certificate), *(certificates(chain) if chain else ())]
    between = dict.fromkeys(one for one in above if one not in root.certificates)
    return {
        ISTIO.signer: certificates(certificate)[0].pem,
        ISTIO.key: key_block(key),
        ISTIO.chain: "".join(one.pem for one in between),
        ISTIO.roots: root.pem,
    }


def secret_of(namespace: str, data: Mapping[str, str]) -> Object:
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    metadata = {"name": PLUGGED_IN, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}


def _namespace(run: Run, name: str) -> list[Object]:
    """The authority comes before the control plane, so its namespace may not be there."""
    if name in run.planned.namespaces or run.client.get(NAMESPACE, name):
        return []
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}]


def require_right(wanted: MeshCa, secret: Object, now: datetime, leaving: Collection[Certificate] = ()) -> None:
    """Nothing is written that a proxy would refuse; what leaves in a later phase is not asked."""
    wrong = list(problems(trust_of([secret]), now, leaving))
    if wrong:
        raise BadAuthority(
            f"The certificates for {wanted.cluster_name} cannot be used",
            subject=f"Secret {wanted.namespace}/{PLUGGED_IN}",
            reason="; ".join(wrong),
            hint="Have them issued anew by the root of the mesh; where it is the root itself, name another one",
        )


def require_clock(client: Client, wanted: MeshCa) -> None:
    """Raise BadAuthority where the cluster would find certificates that are signed here and now not valid yet."""
    there = client.moment
    ahead = right_now() - there if there else timedelta()
    if ahead > EARLIER:
        raise BadAuthority(
            f"The certificates for {wanted.cluster_name} would not be valid yet",
            subject=f"Secret {wanted.namespace}/{PLUGGED_IN}",
            reason=f"the clock of this machine is {ahead} ahead of that of the API server of {client.name}, which says "
            f"{there:%Y-%m-%d %H:%M:%S} UTC",
            hint="Set the clocks; certificates begin five minutes before they are made",
        )


def _replaced(wanted: MeshCa, there: Trust, by: str) -> str:
    return (
        f"The root {named(there.anchors or there.roots)} of {wanted.cluster_name} has ended, so {by} takes its place "
        "at once. An istiod that runs takes it up when it is restarted, and proxies afterwards: docs/multicluster.md, "
        "'When a root has ended'"
    )


def _warnings(wanted: MeshCa, told: Trust, now: datetime) -> list[str]:
    ending = [root for root in told.roots if root.ends <= now + max(wanted.renew_before, wanted.lifetime / 2)]
    said = [
        f"The root {root} of {wanted.cluster_name} ends on {root.ends:%Y-%m-%d}: plan its rotation" for root in ending
    ]
    signer = told.signer
    if wanted.given and signer and signer.ends <= now + wanted.renew_before:
        said.append(
            f"The certificate {signer} of {wanted.cluster_name} ends on {signer.ends:%Y-%m-%d}: have it signed anew"
        )
    if wanted.root_file and readable_by_others(wanted.root_file):
        said.append(f"The root file {wanted.root_file} can be read by others than its owner: set its mode to 0600")
    return said
