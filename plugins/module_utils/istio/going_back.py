# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back of an upgrade: everything as the record says it was, and what that leaves for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..kube.client import Object
from ..kube.resources import MUTATING_WEBHOOKS, POD, SERVICE, VALIDATING_WEBHOOKS
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired, Key
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from .before_images import namespaces_again, new_tags, objects_again
from .facts import REVISION_LABEL, TAG_LABEL
from .pods import injected_by, proxy_version
from .rollout_plan import Left
from .snapshot import Snapshot
from .status import versions_of
from .upgrade_record import IN_PLACE, MANAGER, Side, Upgrade, UpgradeError
from .usage import told, users_of
from .webhooks import DEFAULT_VALIDATOR, labels_of, services_of


def restored(run: Run, snapshot: Snapshot, upgrade: Upgrade) -> Outcome:
    """Services, then tags that were not there before, then webhooks: none ever leads nowhere, no Pod has two."""
    images = objects_again(snapshot, upgrade.objects)
    _require_way(run, snapshot, upgrade, images)
    present = [*images, *namespaces_again(snapshot, upgrade.namespaces)]
    gone = [Key.of(found) for found in new_tags(snapshot, upgrade.objects, upgrade.after.revision)]
    stages = {Key.of(image): 1 for image in present if image["kind"] != SERVICE.kind}
    owner = Owner(MANAGER, stages=stages)
    return reconcile(run, owner, [Desired(image, "as before the upgrade", exactly=True) for image in present], gone)


def _require_way(run: Run, snapshot: Snapshot, upgrade: Upgrade, images: Iterable[Object]) -> None:
    """Going back is possible until the old control plane is removed. What led nowhere before is nothing of ours."""
    now = {Key.of(found): _called(found) for found in snapshot.of(MUTATING_WEBHOOKS) + snapshot.of(VALIDATING_WEBHOOKS)}
    ours = {(image["metadata"].get("namespace"), image["metadata"]["name"]) for image in images}
    called = {target for image in images for target in _called(image) - now.get(Key.of(image), set())} - ours
    gone = [f"Service {place}/{name}" for place, name in sorted(called) if not run.client.get(SERVICE, name, place)]
    if upgrade.before.revision not in versions_of(snapshot):
        gone.append(f"istiod of the revision {upgrade.before.revision}")
    if upgrade.strategy != IN_PLACE:
        gone += [str(key) for image in images if _is_its_own(image, upgrade) and (key := Key.of(image)) not in now]
    if gone:
        raise UpgradeError(
            f"There is no way back on {run.client.name}: what it would lead to is gone",
            subject=f"revision {upgrade.before.revision}",
            reason=f"the control plane of before has been removed ({', '.join(gone)})",
            hint="Install it again (mesh_control_plane with its version and revision), then roll back; "
            "or go on (upgrade_complete)",
        )


def _is_its_own(image: Object, upgrade: Upgrade) -> bool:
    """Whether it is a webhook of the old control plane's chart: the first that goes when that one is removed."""
    labels = labels_of(image)
    shared = image["metadata"]["name"] == DEFAULT_VALIDATOR or bool(labels.get(TAG_LABEL))
    return "webhooks" in image and not shared and labels.get(REVISION_LABEL) == upgrade.before.revision


def _called(configuration: Object) -> set[tuple[str, str]]:
    return {(place, name) for _hook, place, name in services_of(configuration)}


def require_old(run: Run, snapshot: Snapshot, upgrade: Upgrade) -> None:
    """In place, Pods can only get the old proxy when the control plane is of the old version again."""
    found = versions_of(snapshot).get(upgrade.before.revision)
    if found == upgrade.before.version or (run.check_mode and found):
        return
    raise UpgradeError(
        f"The control plane {upgrade.before} is not there on {run.client.name}",
        subject=f"revision {upgrade.before.revision}",
        reason=f"it is {found}" if found else "that revision is not installed",
        hint=f"Run the control plane's own task with version {upgrade.before.version} first; rollback.yml does so",
    )


def is_of(side: Side) -> Callable[[Object], bool]:
    """Whether a Pod got its proxy from the control plane of before, or of after an upgrade."""
    return lambda pod: injected_by(pod) == side.revision and proxy_version(pod) == side.version


def remains(snapshot: Snapshot, upgrade: Upgrade, left: Iterable[Left]) -> list[dict[str, Any]]:
    """What a roll-back leaves for people: the new control plane and who is bound to it, and what is not restarted."""
    by_hand = [{**vars(one.place), "how": one.reason} for one in left]
    if upgrade.strategy == IN_PLACE:
        return by_hand
    plane = {"kind": "control plane", "namespace": "", "name": upgrade.after.revision, "how": "it injects nobody"}
    users = [use for use in users_of(snapshot, upgrade.after.revision) if use.kind != POD.kind]
    return [*by_hand, *told(users), plane]
