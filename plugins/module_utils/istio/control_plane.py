# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installing a control plane from the official charts.

The charts are rendered here and everything they render goes through one plan:
nobody else's Istio is touched, and a second run finds nothing to do.

All of it is written by one field manager. Revisions have no object in common but
those of the shared components, and each of these is kept by one revision: the
one with the newest version, among equals the one that was first. So the tasks
of two revisions never undo each other, whatever order they run in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..kube.client import Client, Object
from ..kube.resources import MUTATING_WEBHOOKS
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from . import facts, modes
from .adoption import Adoption
from .charts import Charts, charts_of
from .default_tag import beside_default_tag
from .desired_control_plane import BASE, COMPONENTS, ISTIOD, ControlPlane, chart_values
from .images import images_of
from .installed import Installed, Record, installed, recorded
from .kinds import RANKS
from .readiness import await_control_plane
from .refusals import refuse_changes, refuse_without_access
from .releases import version_of_tag
from .remote_address import as_served
from .revisions import named, shown
from .tag_objects import injector_name
from .upgrade import upgrade_of
from .upgrade_path import is_downgrade
from .upgrade_record import IN_PLACE, Side, read_upgrade
from .values import merged
from .webhooks import DEFAULT_REVISION

MANAGER = f"{facts.MANAGER_PREFIX}control_plane"


def run_control_plane(run: Run, wanted: ControlPlane) -> Outcome:
    """Bring the control plane to what is wanted, and wait until it works."""
    modes.require_allowed(modes.INSTALL, wanted.mode)
    wanted = as_served(run.client, wanted)
    found = installed(run.client, wanted)
    goes_back = _goes_back(run.client, found, wanted)
    if not run.check_mode:
        refuse_without_access(run.client, wanted)
    refuse_changes(run.client.name, found, wanted, goes_back=goes_back)
    left = {
        name: record
        for name, record in found.shared.items()
        if _is_kept_by_another(found, record, wanted) and not (goes_back and name != BASE)
    }
    with charts_of(wanted.charts, wanted.version, wanted.helm) as charts:
        components = [name for name in COMPONENTS if name in wanted.components and name not in left]
        rendered = _rendered(run.client, charts, found, wanted, components)
        objects = [_namespace(wanted), *beside_default_tag(rendered, _default_tag(run.client, wanted))]
        warnings = charts.warnings
    upgrade, changing = upgrade_of(run.client, found, wanted, objects)
    outcome, adopted = _reconciled(run, wanted, [Desired(content, source=_source(content)) for content in objects])
    if not run.check_mode:
        await_control_plane(run.wait(wanted.wait_timeout), objects, wanted)
    outcome.warnings += [*warnings, *changing]
    outcome.extra = {**_told(wanted, left), "images": images_of(objects), "upgrade": upgrade, **adopted}
    return outcome


def _reconciled(run: Run, wanted: ControlPlane, objects: list[Desired]) -> tuple[Outcome, dict[str, Any]]:
    """One plan for all objects, with what takes them over where that is asked for; and what is told of that."""
    owner = Owner(MANAGER, co_owned=facts.CO_OWNED, ranks=RANKS, keyed_lists=facts.KEYED_LISTS)
    adoption = Adoption(run.client, wanted.adopt, wanted.adopt_changes)
    objects = adoption.desired(objects)
    return reconcile(run, adoption.owner(owner), objects, review=adoption.review), adoption.told()


def _default_tag(client: Client, wanted: ControlPlane) -> Object | None:
    """The tag beside which the injector without a revision must match nothing; others have nothing to do with it."""
    return None if wanted.revision else client.get(MUTATING_WEBHOOKS, injector_name(DEFAULT_REVISION, wanted.namespace))


def _goes_back(client: Client, found: Installed, wanted: ControlPlane) -> bool:
    """Whether an older version is what an upgrade that is under way came from. CRDs stay as they are all the same."""
    there = found.istiods.get(wanted.revision)
    old, new = version_of_tag(there.record.version) if there else None, version_of_tag(wanted.version)
    if old is None or new is None or not is_downgrade(old, new):
        return False
    upgrade = read_upgrade(client, wanted.namespace)
    before = Side(wanted.version, shown(wanted.revision))
    return upgrade is not None and (upgrade.strategy, upgrade.before) == (IN_PLACE, before)


def _is_kept_by_another(found: Installed, record: Record, wanted: ControlPlane) -> bool:
    """Whether a component that revisions share is left as it is: it is newer, or another living revision's."""
    there, ours = version_of_tag(record.version), version_of_tag(wanted.version)
    if there and ours and there != ours:
        return there.order > ours.order
    keeper = "" if record.revision == shown("") else record.revision
    return bool(record.revision) and keeper != wanted.revision and keeper in found.istiods


def _told(wanted: ControlPlane, left: Mapping[str, Record]) -> dict[str, Any]:
    ours = Record(wanted.version, wanted.inventory, shown(wanted.revision))
    records = {name: left.get(name, ours) for name in COMPONENTS if name in wanted.components}
    return {
        "version": wanted.version,
        "namespace": wanted.namespace,
        "revision": shown(wanted.revision),
        "components": {
            name: {"version": record.version, "kept_by": record.revision} for name, record in records.items()
        },
    }


def _rendered(
    client: Client, charts: Charts, found: Installed, wanted: ControlPlane, components: list[str]
) -> list[Object]:
    kubernetes = str(client.version()["gitVersion"])
    return [
        content
        for component in components
        for content in recorded(
            charts.render(
                component,
                found.release(component, wanted.revision) or _release(component, wanted),
                wanted.namespace,
                _values(wanted, component, found),
                kubernetes,
            ),
            component,
            wanted,
            found.release(component, wanted.revision),
        )
    ]


def _values(wanted: ControlPlane, component: str, found: Installed) -> dict[str, Any]:
    """The chart's values; who judges configuration stays who it is, until somebody says otherwise."""
    judge = {"defaultRevision": found.default_revision or shown(wanted.revision)} if component == BASE else {}
    return merged(judge, chart_values(wanted, component))


def _release(component: str, wanted: ControlPlane) -> str:
    return named(f"istio-{component}", wanted.revision) if component == ISTIOD else f"istio-{component}"


def _namespace(wanted: ControlPlane) -> Object:
    labels = {"labels": {facts.NETWORK_LABEL: wanted.network}} if wanted.network else {}
    # Whose istiods write the certificates of the root into the namespaces of this cluster (istio.io, primary-remote).
    served = {"annotations": {facts.SERVED_BY: wanted.remote.primary}} if wanted.remote else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wanted.namespace, **labels, **served}}


def _source(content: Object) -> str:
    return str((content["metadata"].get("labels") or {}).get("helm.sh/chart", ""))
