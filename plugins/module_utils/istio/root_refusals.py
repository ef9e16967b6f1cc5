# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in the way of a rotation in one cluster, said before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..kube.client import Client
from ..kube.errors import Failure
from ..kube.resources import DAEMON_SET, DEPLOYMENT
from .certificates import Certificate
from .external_plane import says
from .facts import ISTIOD_SELECTOR
from .mesh_ca import MeshCa, named
from .presented import Shown
from .root_phases import PHASES, SIGN, TRUST, Aim, lags_of, next_phase, secret_is_there, summary
from .trust import PLUGGED_IN, TLS, Trust, problems, shape_of

MULTI_ROOT = "ISTIO_MULTIROOT_MESH"
_ZTUNNEL = "app=ztunnel"


class RotationRefused(Failure):
    """The root cannot be rotated as the cluster is."""

    code = "rotation_refused"


@dataclass(frozen=True)
class Rotating:
    """What a rotation has found.

    `outside` when this cluster is not in the mesh and only its control plane is here; `is_new` while the root that it
    shall have is in no file yet.
    """

    wanted: MeshCa
    there: Trust
    live: Mapping[str, str]
    aim: Aim
    can_sign: bool = True
    outside: bool = False
    is_new: bool = False
    shown: Sequence[Shown] = ()

    @property
    def upcoming(self) -> str:
        return next_phase(self.there, self.shown, self.aim)

    @property
    def has_come(self) -> bool:
        """Whether the Secret is as it shall be in the end, whoever lags behind it."""
        return all(secret_is_there(phase, self.there, self.aim) for phase in PHASES)

    @property
    def leaving(self) -> frozenset[Certificate]:
        """What comes to its end without harm: the new root is there, so the phases replace it at any time.

        Before that they cannot: an istiod takes up no bundle by which its own certificate is not valid.
        """
        if not secret_is_there(TRUST, self.there, self.aim):
            return frozenset()
        signer = [self.there.signer, *self.there.chain] if self.there.signer else []
        replaced = [] if secret_is_there(SIGN, self.there, self.aim) else signer
        return frozenset([*self.there.roots, *replaced]) - self.aim.roots

    @property
    def place(self) -> str:
        return f"Secret {self.wanted.namespace}/{PLUGGED_IN}"


def refuse(client: Client, cluster: Rotating) -> None:
    """Everything that stands in the way, before the first write."""
    wanted, upcoming = cluster.wanted, cluster.upcoming
    if cluster.is_new and wanted.rotate != TRUST:
        raise _refused(
            cluster, f"there is no root file {wanted.root_file}", "Begin with the phase 'trust', which makes it"
        )
    if not (upcoming or _unheard(cluster.there)):
        return
    if not cluster.outside:
        _refuse_ambient(client, cluster)
    if cluster.there.source:
        _refuse_unsigned(cluster)
        _refuse_authority(cluster)
    if cluster.there.source and not cluster.has_come:
        _refuse_istiods(client, cluster)
    if PHASES.index(wanted.rotate) > PHASES.index(upcoming) and not secret_is_there(
        wanted.rotate, cluster.there, cluster.aim
    ):
        behind = summary(list(lags_of(upcoming, cluster.shown, cluster.aim))) or f"{cluster.place} is not so far"
        raise _refused(cluster, f"the phase '{upcoming}' is not done: {behind}", f"Run the phase '{upcoming}' first")


def _refuse_unsigned(cluster: Rotating) -> None:
    if not cluster.can_sign and not secret_is_there(SIGN, cluster.there, cluster.aim):
        raise _refused(
            cluster,
            "nobody can sign for it by the new root: neither the root's key nor an intermediate is given",
            "Give 'root_key', or the 'certificate' and 'key' that somebody else has signed for this cluster",
        )


def _refuse_authority(cluster: Rotating) -> None:
    there, now = cluster.there, cluster.aim.now
    if there.source != PLUGGED_IN:
        raise _refused(
            cluster,
            f"its istiod signs by a root that it has made for itself ({there.source}), and takes up no other one while "
            "it runs",
            "Rotate meshes whose root was given by mesh_ca before their control planes were installed",
        )
    if shape_of(cluster.live) is TLS:
        raise _refused(
            cluster,
            f"{cluster.place} is a TLS Secret, as cert-manager makes them, so somebody else keeps it",
            "Rotate the root where that is made (its managedFields name the manager)",
        )
    wrong = list(filter(None, [*problems(there, now, cluster.leaving), _unheard(there)]))
    if wrong:
        raise _refused(cluster, "; ".join(wrong), _ENDED_HINT if there.has_ended(now) else _WRONG_HINT)


_WRONG_HINT = "Put that right first, with the root that the cluster has"
_ENDED_HINT = (
    "Run the playbook mesh, with the root that shall take its place: nothing can be rotated without trust "
    "(docs/multicluster.md, 'When a root has ended')"
)


def _unheard(there: Trust) -> str:
    """Why an istiod that was installed before its certificates came, or got others, signs by another root."""
    if not there.source or not there.distributed or not frozenset(there.anchors).isdisjoint(there.distributed):
        return ""
    return (
        f"istiod hands out the root {named(there.distributed)}, and {there.source} has {named(there.roots)}: it has "
        "not taken up the Secret, so restart it, and its proxies afterwards. One that has just been restarted hands it "
        "out within a minute"
    )


def _refuse_istiods(client: Client, cluster: Rotating) -> None:
    """Without this an istiod never takes up another root, and does not say so."""
    for found in client.list_objects(DEPLOYMENT, cluster.wanted.namespace, labels=ISTIOD_SELECTOR):
        if not says(found, MULTI_ROOT):
            name = found["metadata"]["name"]
            raise _refused(
                cluster,
                f"the istiod of Deployment {cluster.wanted.namespace}/{name} runs without {MULTI_ROOT}, and takes up "
                "no other root without it",
                _MULTI_ROOT_HINT,
            )


_MULTI_ROOT_HINT = (
    f'Set mesh_control_plane_values: {{istiod: {{env: {{{MULTI_ROOT}: "true"}}}}}} and run the playbook mesh with '
    '--tags control_plane. With meshConfig: {defaultConfig: {proxyMetadata: {PROXY_CONFIG_XDS_AGENT: "true"}}} beside '
    "env, proxies that start from then on renew within seconds instead of hours"
)


def _refuse_ambient(client: Client, cluster: Rotating) -> None:
    if any(client.list_objects(DAEMON_SET, labels=_ZTUNNEL)):
        raise _refused(
            cluster,
            "it has ztunnel, whose certificates cannot be asked for, so nobody could say when a phase is done",
            "Only meshes of sidecars and gateways can be rotated",
        )


def _refused(cluster: Rotating, reason: str, hint: str) -> RotationRefused:
    return RotationRefused(
        f"The root of {cluster.wanted.cluster_name} cannot be rotated",
        subject=cluster.place,
        reason=reason,
        hint=hint,
    )
