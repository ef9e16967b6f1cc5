# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of mesh_ca."""

from __future__ import annotations

from datetime import timedelta

from ...istio.facts import ROOT_NAMESPACE
from ...istio.issuing import BadAuthority, Root, read_certificates, read_key, require_pair
from ...istio.mesh_ca import Given, MeshCa, run_mesh_ca
from ...istio.names import check_names
from ...istio.root_phases import PHASES
from ...istio.root_rotation import run_rotation
from ...reconcile.outcome import Outcome
from ...reconcile.run import Run
from ..arguments import OWNERSHIP, ArgumentSpec
from ..operation import Operation, Params


def _mesh_ca(params: Params) -> MeshCa:
    check_names(mesh_id=params["mesh_id"], cluster_name=params["cluster_name"])
    return MeshCa(
        cluster_name=params["cluster_name"],
        mesh_id=params["mesh_id"],
        namespace=params["namespace"],
        root_file=params["root_file"] or "",
        root=_root(params),
        given=_given(params),
        lifetime=timedelta(days=_days(params, "lifetime_days")),
        root_days=_days(params, "root_lifetime_days"),
        renew_before=timedelta(days=_days(params, "renew_before_days")),
        take_ownership_from=tuple(params["take_ownership_from"]),
        rotate=params["rotate"] or "",
        wait_timeout=params["wait_timeout"],
    )


def _root(params: Params) -> Root | None:
    """The root that was given as text. Its key is not needed where somebody else has signed, or nobody signs."""
    if not params["root_certificate"]:
        return None
    found = read_certificates(params["root_certificate"], "'root_certificate'")
    if params["certificate"] or (params["rotate"] and not params["root_key"]):
        return Root(found)
    if not params["root_key"]:
        raise BadAuthority(
            "Nobody can sign for this cluster",
            subject="root_key",
            reason="'root_certificate' is given without 'root_key' and without 'certificate'",
            hint="Give the root's key, or the certificate and key that somebody else has signed for this cluster",
        )
    key = read_key(params["root_key"], "'root_key'")
    require_pair(key, found, "'root_key'")
    return Root(found, key)


def _given(params: Params) -> Given | None:
    if not params["certificate"]:
        return None
    found = read_certificates(params["certificate"], "'certificate'")
    if params["chain"]:
        read_certificates(params["chain"], "'chain'")
    require_pair(read_key(params["key"], "'key'"), found[:1], "'key'")
    return Given(params["certificate"], params["key"], params["chain"] or "")


def _days(params: Params, name: str) -> int:
    days = int(params[name])
    if days < 1:
        raise BadAuthority(f"'{name}' is {days}", subject=name, hint="Give a number of days, 1 or more")
    return days


def _run(run: Run, wanted: MeshCa) -> Outcome:
    return run_rotation(run, wanted) if wanted.rotate else run_mesh_ca(run, wanted)


MESH_CA: Operation[MeshCa] = Operation(
    "mesh_ca",
    ArgumentSpec(
        {
            "cluster_name": {"type": "str", "required": True},
            "mesh_id": {"type": "str", "default": "istio"},
            "namespace": {"type": "str", "default": ROOT_NAMESPACE},
            "root_file": {"type": "path"},
            "root_certificate": {"type": "str"},
            "root_key": {"type": "str", "no_log": True},
            "certificate": {"type": "str"},
            "key": {"type": "str", "no_log": True},
            "chain": {"type": "str"},
            "lifetime_days": {"type": "int", "default": 730},
            "root_lifetime_days": {"type": "int", "default": 3650},
            "renew_before_days": {"type": "int", "default": 60},
            "rotate": {"type": "str", "choices": list(PHASES)},
            "wait_timeout": {"type": "float", "default": 300.0},
        },
        {
            "mutually_exclusive": [("root_file", "root_certificate"), ("root_file", "certificate")],
            "required_one_of": [("root_file", "root_certificate")],
            "required_together": [("certificate", "key")],
        },
    )
    + OWNERSHIP,
    _mesh_ca,
    _run,
)
