# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The prechecks, as a table, and how they are made: all of them, from facts that were read once.

A blocker refuses the operation, a warning informs. A blocker that is ignored becomes a warning, and so it does where
the version runs already: another run makes nothing worse, and may be the one that heals. What a check `needs` and may
not be read is no finding: the check is not made, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..kube.errors import Failure
from ..kube.resources import (
    CONFIG_MAP,
    CRD,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    LIMIT_RANGE,
    MUTATING_WEBHOOKS,
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    VALIDATING_WEBHOOKS,
    Resource,
)
from ..kube.text import did_you_mean
from . import cluster_checks as cluster
from . import removal_checks as removal
from . import version_checks as version
from . import webhook_checks as webhook
from .kinds import ENVOY_FILTER, VIRTUAL_SERVICE
from .precheck_facts import (
    ALONE,
    ARRIVING,
    BUDGET,
    GOING,
    INSTALL,
    UNINSTALL,
    UPGRADE,
    Facts,
)

Level = Literal["blocker", "warning"]
_SHOWN = 20


class UnknownPrecheck(Failure):
    """A code that no check has."""

    code = "unknown_check"


class PrecheckFailed(Failure):
    """The cluster is not ready for the operation."""

    code = "precheck_failed"


@dataclass(frozen=True)
class Check:
    """One check: what it finds, an object and a sentence each."""

    code: str
    level: Level
    operations: tuple[str, ...]
    find: Callable[[Facts], Iterator[tuple[str, str]]]
    sentence: str
    needs: tuple[Resource, ...] = ()
    always: bool = False  # blocks where the version runs already, too


_WEBHOOKS = (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
_USES = (NAMESPACE, POD, DEPLOYMENT, MUTATING_WEBHOOKS)
_ALL = (
    Check(
        "kubernetes_version",
        "blocker",
        ARRIVING,
        version.kubernetes,
        "the API server or a node has a version of Kubernetes with which this Istio does not work",
    ),
    Check(
        "nothing_installed",
        "blocker",
        (UPGRADE,),
        version.nothing_installed,
        "there is no control plane that could be upgraded",
        needs=(DEPLOYMENT,),
    ),
    Check(
        "downgrade",
        "blocker",
        ARRIVING,
        version.downgrade,
        "the revision has a newer Istio already",
        needs=(DEPLOYMENT,),
    ),
    Check(
        "skipped_minor",
        "blocker",
        ARRIVING,
        version.skipped_minor,
        "minor releases would be skipped, of which one is a step in place, and two by revision",
        needs=(DEPLOYMENT,),
    ),
    Check(
        "proxy_skew",
        "blocker",
        ARRIVING,
        version.proxy_skew,
        "proxies are newer than the control plane would be, or more than two minor releases older",
        needs=(DEPLOYMENT, POD),
    ),
    Check(
        "withdrawn_version",
        "blocker",
        ARRIVING,
        version.withdrawn,
        "nobody should begin to use this version, for a hole that the next patch closes",
    ),
    Check(
        "dead_image_host",
        "blocker",
        ARRIVING,
        version.dead_hub,
        "the version is not published at this host of images, or nothing is any more",
    ),
    Check(
        "gateway_api_bundle",
        "blocker",
        ARRIVING,
        version.gateway_api,
        "there are routes of the Gateway API that this Istio would ignore, for the version of their CRD",
        needs=(CRD,),
    ),
    Check(
        "permission_missing",
        "blocker",
        (*ARRIVING, *GOING),
        cluster.permissions,
        "the user of the connection may not do what has to be done",
        always=True,
    ),
    Check(
        "limit_range",
        "blocker",
        ARRIVING,
        cluster.limit_ranges,
        "a LimitRange would refuse istiod or sidecars",
        needs=(LIMIT_RANGE, NAMESPACE),
    ),
    Check(
        "webhook_without_service",
        "blocker",
        ARRIVING,
        webhook.without_service,
        "a webhook that fails closed calls a Service that does not exist",
        needs=(*_WEBHOOKS, SERVICE),
    ),
    Check(
        "system_namespace_injected",
        "blocker",
        ARRIVING,
        webhook.system_namespaces,
        "an injector is asked for every Pod of one of Kubernetes' own namespaces",
        needs=(MUTATING_WEBHOOKS, NAMESPACE),
    ),
    Check(
        "certificate_expired",
        "blocker",
        ARRIVING,
        cluster.expired_certificates,
        "a certificate of the mesh's authority or of a webhook has expired",
    ),
    Check(
        "mesh_protected",
        "blocker",
        GOING,
        removal.protection,
        "the control plane is protected from being removed",
        needs=(CONFIG_MAP,),
    ),
    Check(
        "sidecars_left",
        "blocker",
        GOING,
        removal.sidecars,
        "Pods still have a proxy of this control plane",
        needs=_USES,
    ),
    Check(
        "gateways_left",
        "blocker",
        GOING,
        removal.gateways,
        "gateways still run by this control plane",
        needs=_USES,
    ),
    Check(
        "revision_in_use",
        "blocker",
        GOING,
        removal.references,
        "namespaces, workloads, tags, validators or configuration still refer to the revision",
        needs=_USES,
    ),
    Check(
        "serves_others",
        "blocker",
        (UNINSTALL,),
        removal.others_served,
        "clusters that stay are served by this control plane",
        needs=(DEPLOYMENT, VIRTUAL_SERVICE.resource),
    ),
    Check(
        "calls_end",
        "warning",
        (ALONE,),
        removal.sidecars,
        "Pods go on with the control plane of this cluster, and reach nothing in the others any more",
        needs=_USES,
    ),
    Check(
        "unknown_release",
        "warning",
        ARRIVING,
        version.unknown_release,
        "the version is newer than what this collection knows",
    ),
    Check(
        "end_of_life",
        "warning",
        ARRIVING,
        version.not_supported,
        "the version, or one that runs, is not supported any more",
    ),
    Check(
        "security_patch_missing",
        "warning",
        ARRIVING,
        version.not_safe,
        "the version, or one that runs, lacks security corrections",
    ),
    Check(
        "image_host_ends",
        "warning",
        ARRIVING,
        version.ending_hub,
        "images come from a host that Istio gives up",
    ),
    Check(
        "webhook_without_endpoints",
        "warning",
        ARRIVING,
        webhook.without_endpoints,
        "a webhook that fails closed calls a Service behind which nothing is ready",
        needs=(*_WEBHOOKS, SERVICE, ENDPOINT_SLICE),
    ),
    Check(
        "leftovers",
        "warning",
        ARRIVING,
        cluster.leftovers,
        "parts of an Istio that is gone are still there",
        needs=(DEPLOYMENT, NAMESPACE, *_WEBHOOKS),
    ),
    Check(
        "capacity",
        "warning",
        ARRIVING,
        cluster.capacity,
        "no node has room for one more istiod, of which there are two for a while",
        needs=(NODE, POD),
    ),
    Check(
        "disruption_budget",
        "warning",
        ARRIVING,
        cluster.disruption_budgets,
        "a PodDisruptionBudget lets no Pod go",
        needs=(BUDGET, NAMESPACE),
    ),
    Check(
        "envoy_filters",
        "warning",
        ARRIVING,
        version.envoy_filters,
        "an EnvoyFilter patches what may look different in the new version",
        needs=(ENVOY_FILTER.resource, DEPLOYMENT),
    ),
    Check(
        "envoy_filter_renamed",
        "warning",
        ARRIVING,
        version.renamed_filter,
        "an EnvoyFilter names a filter that has another name in the new version",
        needs=(ENVOY_FILTER.resource,),
    ),
    Check(
        "deprecated",
        "warning",
        ARRIVING,
        cluster.deprecated,
        "versions of the API or annotations are used that are deprecated",
    ),
    Check(
        "certificate_expires",
        "warning",
        ARRIVING,
        cluster.ending_certificates,
        "a certificate of the mesh's authority or of a webhook expires within 30 days",
    ),
)
PRECHECKS: Mapping[str, Check] = {check.code: check for check in _ALL}


@dataclass(frozen=True)
class Finding:
    """What a check has found, in all objects."""

    code: str
    level: Level
    sentence: str
    objects: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "reason": self.sentence,
            "count": len(self.objects),
            "objects": list(self.objects[:_SHOWN]),
            "override": f"ignore_checks: [{self.code}]" if self.code in PRECHECKS else "",
        }

    def __str__(self) -> str:
        more = f"; and {len(self.objects) - _SHOWN} more" if len(self.objects) > _SHOWN else ""
        return f"{self.sentence} [{self.code}]: {'; '.join(self.objects[:_SHOWN])}{more}"


def known_codes(asked: Iterable[str]) -> frozenset[str]:
    """Codes to ignore. Raises UnknownPrecheck."""
    wrong = [code for code in asked if code not in PRECHECKS]
    if wrong:
        raise UnknownPrecheck(
            "'ignore_checks' names what is no check",
            subject=wrong[0],
            reason=", ".join(f"'{code}'{did_you_mean(code, PRECHECKS)}" for code in wrong),
            hint=f"The checks are {', '.join(PRECHECKS)}",
        )
    return frozenset(asked)


def checked(facts: Facts, ignored: Collection[str] = ()) -> list[Finding]:
    """All findings, blockers first."""
    made = [check for check in _ALL if facts.operation in check.operations]
    possible = [check for check in made if all(map(facts.cluster.is_readable, check.needs))]
    found = [finding for check in possible for finding in _made(check, facts, ignored)]
    found += _not_read(facts, [check.code for check in made if check not in possible])
    return sorted(found, key=lambda finding: finding.level != "blocker")


def _made(check: Check, facts: Facts, ignored: Collection[str]) -> Iterator[Finding]:
    objects = tuple(f"{what}: {why}" for what, why in check.find(facts))
    if objects:
        lenient = check.code in ignored or (facts.is_running and not check.always)
        yield Finding(check.code, "warning" if lenient else check.level, check.sentence, objects)


def _not_read(facts: Facts, not_made: Sequence[str]) -> Iterator[Finding]:
    """What could not be looked at, and so which checks were not made."""
    unread = tuple(dict.fromkeys(f"{item}: {item.reason}" for item in facts.cluster.unread))
    if unread:
        lacking = f", so that these were not made: {', '.join(not_made)}" if not_made else ""
        yield Finding("not_readable", "warning", f"a part of the cluster may not be read{lacking}", unread)


def require(facts: Facts, findings: Sequence[Finding]) -> dict[str, Any]:
    """What a result tells. Raises PrecheckFailed with all blockers at once."""
    result = {
        "operation": facts.target.operation,
        "strategy": facts.strategy if facts.target.operation in ARRIVING else "",
        "installed": sorted({str(found) for _plane, found in facts.installed}),
        "blockers": [finding.told() for finding in findings if finding.level == "blocker"],
        "warnings": [finding.told() for finding in findings if finding.level == "warning"],
    }
    blockers = [finding for finding in findings if finding.level == "blocker"]
    if blockers:
        raise _refused(facts, blockers, result)
    return result


def _refused(facts: Facts, blockers: Sequence[Finding], result: Mapping[str, Any]) -> PrecheckFailed:
    version_of_target = f" of Istio {facts.target.version}" if facts.target.version else ""
    what = {INSTALL: "installation", UPGRADE: "upgrade"}.get(facts.target.operation, facts.target.operation)
    failure = PrecheckFailed(
        f"{facts.cluster.cluster} is not ready for the {what}{version_of_target}",
        subject=facts.cluster.cluster,
        reason=". ".join(map(str, blockers)),
        hint="Correct them, or if it is meant so: "
        f"'ignore_checks: [{', '.join(finding.code for finding in blockers)}]'. Nothing has been written",
    )
    failure.extra = {"precheck": dict(result)}
    return failure
