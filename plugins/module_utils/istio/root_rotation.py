# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One phase of a root's rotation in one cluster: the Secret, and the wait until everybody shows it.

How far the cluster is, is read from it each time, so a run that was cut off goes on where the cluster is. A cluster
whose certificates come from an istiod elsewhere has no Secret to write: there the proxies are looked at. One whose
istiod serves other clusters alone has the Secret, and no proxy of the mesh.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..kube.client import Client, Object, remaining
from ..kube.errors import Forbidden
from ..kube.resources import DEPLOYMENT, SECRET
from ..kube.wait import NotReady
from ..reconcile.outcome import Outcome
from ..reconcile.run import Run
from .certificates import Certificate, certificates, root_of
from .external_plane import is_outside
from .facts import ISTIOD_SELECTOR
from .issuing import BadAuthority, Root
from .mesh_ca import (
    MeshCa,
    found_in,
    named,
    require_clock,
    require_right,
    right_now,
    secret_of,
    signed_texts,
    wanted_root,
    written,
)
from .presented import Looks, Shown
from .restart_marker import moment
from .root_file import keep
from .root_phases import (
    DROP,
    SIGN,
    TRUST,
    Aim,
    Lag,
    lags_of,
    secret_is_there,
    summary,
    touched,
    with_more,
    without_others,
)
from .root_refusals import Rotating, refuse
from .trust import DISTRIBUTED, ISTIO, PLUGGED_IN, SELF_SIGNED, texts_of, trust_of

_PAUSE = 2.0
# A kubelet looks once a minute, some seconds more or less, and what it remembers of a Secret may be as old.
_MOST_QUIET = 120.0
_SHOWN = 50


def run_rotation(run: Run, wanted: MeshCa, clock: Callable[[], datetime] | None = None) -> Outcome:
    """Bring the cluster to a phase. Raises RotationRefused before anything is written, NotReady for who lags behind."""
    now = (clock or right_now)()
    root, is_new = wanted_root(wanted, now)
    outside = is_outside(run.client, wanted.namespace)
    found = _found(run.client, wanted, outside=outside)
    live = next((texts_of(one) for one in found if one["metadata"]["name"] == PLUGGED_IN), {})
    can_sign = bool(wanted.given or root.key)
    cluster = Rotating(wanted, trust_of(found), live, _aim(wanted, root, now), can_sign, outside, is_new)
    cluster = replace(cluster, shown=_shown(run.client, cluster))
    refuse(run.client, cluster)
    _refuse_unusable(cluster, root)
    if is_new:
        require_clock(run.client, wanted)
    if is_new and not run.check_mode:
        root = keep(root, wanted.root_file)
        cluster = replace(cluster, aim=_aim(wanted, root, now), is_new=False)
    secret = _desired(cluster, root)
    if secret:
        require_clock(run.client, wanted)
        require_right(wanted, secret, now, cluster.leaving)
    outcome = written(run, wanted, [secret] if secret else [])
    if not run.check_mode:
        there = trust_of([*found, *([secret] if secret else [])])
        cluster = replace(cluster, there=there, shown=_waited_for(run, cluster, is_new=bool(secret)))
    outcome.extra = {"trust": cluster.there.told(now), "rotation": _told(cluster)}
    return outcome


def _refuse_unusable(cluster: Rotating, root: Root) -> None:
    """Nobody shall trust a root first by which nothing can be signed afterwards."""
    wanted, now = cluster.wanted, cluster.aim.now
    if wanted.rotate == TRUST and cluster.can_sign and not secret_is_there(SIGN, cluster.there, cluster.aim):
        require_right(wanted, secret_of(wanted.namespace, signed_texts(wanted, root, now)), now, cluster.leaving)


def _found(client: Client, wanted: MeshCa, *, outside: bool) -> list[Object]:
    """What the cluster's own control plane signs by and hands out; what one that is gone has left is nobody's root."""
    found = found_in(client, wanted.namespace)
    is_gone = not any(client.list_objects(DEPLOYMENT, wanted.namespace, labels=ISTIOD_SELECTOR))
    left = {SELF_SIGNED if is_gone else "", DISTRIBUTED if outside else ""}
    return [one for one in found if one["metadata"]["name"] not in left]


def _shown(client: Client, cluster: Rotating) -> list[Shown]:
    try:
        return _looks(client, cluster).look()
    except Forbidden as error:
        error.hint = "Grant what examples/rbac/rotation.yaml has to this user: the certificates of proxies are read"
        raise


def _looks(client: Client, cluster: Rotating) -> Looks:
    there = frozenset([*cluster.there.roots, *cluster.there.distributed])
    return Looks(client, cluster.wanted.namespace, cluster.outside, there | cluster.aim.roots if there else there)


def _aim(wanted: MeshCa, root: Root, now: datetime) -> Aim:
    """By which of its roots a mesh signs is said by the key, or by what the root has signed."""
    roots = frozenset(root.certificates)
    signer = root.signer
    if wanted.given:
        first, *rest = certificates(wanted.given.certificate + wanted.given.chain)
        signer = root_of(first, rest, root.certificates)
        if signer is None:
            raise BadAuthority(
                f"The certificate {first} does not lead to the root {named(root.certificates)}",
                subject="certificate",
                hint="Have an intermediate for this cluster signed by the root that shall take the other's place",
            )
    return Aim(roots, frozenset([signer]) if signer else roots, now)


def _desired(cluster: Rotating, root: Root) -> Object | None:
    """The Secret of the phase; what is as far already stays as it is."""
    wanted, live, now = cluster.wanted, cluster.live, cluster.aim.now
    if not cluster.there.source or secret_is_there(wanted.rotate, cluster.there, cluster.aim):
        return None
    kept = {key: live[key] for key in ISTIO.keys if key in live}
    missing = [one for one in root.certificates if one not in cluster.there.roots]
    texts = {
        TRUST: lambda: {**kept, ISTIO.roots: with_more(live[ISTIO.roots], missing)},
        SIGN: lambda: {**signed_texts(wanted, root, now), ISTIO.roots: touched(live[ISTIO.roots])},
        DROP: lambda: {**kept, ISTIO.roots: without_others(live[ISTIO.roots], root.certificates)},
    }
    return secret_of(wanted.namespace, texts[wanted.rotate]())


def _waited_for(run: Run, cluster: Rotating, *, is_new: bool) -> list[Shown]:
    """What all show once they show the phase. Proxies cannot be watched, so they are asked again."""
    wanted, seen, said = cluster.wanted, _looks(run.client, cluster), ""
    began, quiet_for = time.monotonic(), _quiet_seconds(run.client, wanted, is_new=is_new)
    deadline, quiet = began + wanted.wait_timeout, began + quiet_for
    while True:
        run.before_write()
        shown = seen.look()
        lags = [*lags_of(wanted.rotate, shown, cluster.aim), *_unheard(cluster, quiet)]
        if not lags and not seen.settled:
            return shown
        if lags:
            said = _say(run, wanted.rotate, lags, said)
            _pause(deadline, _not_ready(cluster, lags))
        seen.settle(shown, {lag.where for lag in lags})


def _quiet_seconds(client: Client, wanted: MeshCa, *, is_new: bool) -> float:
    """How long one of several istiods may still have the Secret of before, which nobody sees while it serves nobody.

    One that has just been written is new, whatever the server's clock says of it.
    """
    planes = client.list_objects(DEPLOYMENT, wanted.namespace, labels=ISTIOD_SELECTOR)
    secret = client.get(SECRET, PLUGGED_IN, wanted.namespace) or {"metadata": {}}
    written_at = [moment(str(one.get("time"))) for one in secret["metadata"].get("managedFields") or []]
    changed = max((one for one in written_at if one), default=None)
    if changed is None or sum(one["spec"].get("replicas", 1) for one in planes) < 2:
        return 0.0
    return _MOST_QUIET if is_new else min(_MOST_QUIET, _MOST_QUIET - (right_now() - changed).total_seconds())


def _unheard(cluster: Rotating, quiet: float) -> Iterator[Lag]:
    if cluster.wanted.rotate != DROP and remaining(quiet):
        yield Lag(cluster.place, "one of several istiods may not have taken it up yet, and serves no proxy that tells")


def _say(run: Run, phase: str, lags: Sequence[Lag], said: str) -> str:
    told = summary(lags)
    if told != said:
        run.progress(f"{run.client.name}: {phase}: {told}")
    return told


def _pause(deadline: float, late: NotReady) -> None:
    if not remaining(deadline):
        raise late
    time.sleep(min(_PAUSE, remaining(deadline)))


def _not_ready(cluster: Rotating, lags: Sequence[Lag]) -> NotReady:
    wanted = cluster.wanted
    error = NotReady(
        f"The phase '{wanted.rotate}' is not done in {wanted.cluster_name} after {wanted.wait_timeout:g} s",
        subject=cluster.place,
        reason=summary(lags),
        hint=_LATER_HINT if _has_ended(cluster) else f"{_UNBROKEN} {_LATER_HINT}",
    )
    error.extra = {"rotation": {**_told(cluster), **_lagging(lags)}}
    return error


def _has_ended(cluster: Rotating) -> bool:
    return any(root.ends <= cluster.aim.now for one in cluster.shown for root in one.holds)


_UNBROKEN = "Nothing is broken: all proxies accept each other as they are."
_LATER_HINT = (
    "Run it again later and it goes on from here. A kubelet gives istiod a changed Secret within two minutes, and "
    "proxies ask for new certificates at half of their life (12 hours by default), or at once with proxyMetadata "
    "PROXY_CONFIG_XDS_AGENT; with mesh_clusters_rotate_restart: true the playbook rotate_ca restarts those that lag "
    "behind"
)


def _told(cluster: Rotating) -> dict[str, Any]:
    upcoming = cluster.upcoming
    lags = list(lags_of(upcoming, cluster.shown, cluster.aim)) if upcoming else []
    return {
        "phase": cluster.wanted.rotate,
        "next": upcoming,
        "wanted": _wanted(cluster),
        "before": _subjects(one for one in cluster.there.roots if one not in cluster.aim.roots),
        "proxies": sum(one.is_proxy for one in cluster.shown),
        **_lagging(lags),
    }


def _wanted(cluster: Rotating) -> list[str]:
    """By what the clusters of a mesh see that they mean the same root: one that is still to be made, by its file."""
    if cluster.is_new:
        return [f"a new one in {os.path.realpath(cluster.wanted.root_file)}"]
    return sorted(_subjects(cluster.aim.roots))


def _subjects(roots: Iterable[Certificate]) -> list[str]:
    return [str(one) for one in roots]


def _lagging(lags: Sequence[Lag]) -> dict[str, Any]:
    rows = [{"where": lag.where, "reason": lag.reason} for lag in lags[:_SHOWN]]
    return {"lagging": rows, "lagging_count": len(lags), "lagging_pods": [lag.pod for lag in lags if lag.pod]}
