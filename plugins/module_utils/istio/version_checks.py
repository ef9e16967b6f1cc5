# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prechecks of versions: of Istio, Kubernetes, proxies, images and the Gateway API.

Sources: those of releases.py and upgrade_path.py, which hold the facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..kube.resources import CRD, NODE
from .components import version_of
from .kinds import ENVOY_FILTER
from .pods import injected_by, living, proxy_of, proxy_version
from .precheck_facts import UPGRADE, Facts, served_by
from .releases import (
    DEAD_HOSTS,
    DEAD_SINCE,
    RELEASES,
    WITHDRAWN,
    Bundle,
    Minor,
    Version,
    bundles_of,
    hosts_of,
    shown,
    version_of_tag,
)
from .support import has_ended, is_safe
from .upgrade_path import STRIDE, is_downgrade, is_too_far, path, proxy_trouble
from .usage import istiods
from .world import named

Trouble = Iterator[tuple[str, str]]

_KUBERNETES = re.compile(r"v?(\d+)\.(\d+)")
_BUNDLE_VERSION = "gateway.networking.k8s.io/bundle-version"
_RENAMED_SINCE: Minor = (1, 32)
_RENAMED = "envoy.filters.http.rbac"


def unknown_release(facts: Facts) -> Trouble:
    version = facts.target.version
    if version and version.minor not in RELEASES:
        yield f"Istio {version}", f"the table of releases ends with {shown(max(RELEASES))}, so nothing is known of it"


def kubernetes(facts: Facts) -> Trouble:
    """The API server, and every kubelet: a node may be older than the server."""
    release = RELEASES.get(facts.target.version.minor) if facts.target.version else None
    if release is None:
        return
    least, most = release.kubernetes
    servers = [("API server", facts.cluster.kubernetes)]
    nodes = [(named(node), node["status"]["nodeInfo"]["kubeletVersion"]) for node in facts.cluster.of(NODE)]
    for what, version in servers + nodes:
        minor = _minor(version)
        if minor and not least <= minor <= most:
            yield what, f"it is {version}, and Istio {shown(release.minor)} works with {shown(least)} to {shown(most)}"


def _minor(version: str) -> Minor | None:
    match = _KUBERNETES.match(version)
    return (int(match[1]), int(match[2])) if match else None


def nothing_installed(facts: Facts) -> Trouble:
    if facts.target.operation == UPGRADE and not istiods(facts.cluster):
        yield "control plane", "there is none: 'operation: install' is for a cluster without one"


def downgrade(facts: Facts) -> Trouble:
    """In place never; beside a newer control plane an older one may come, which is the way back."""
    target = facts.target.version
    for plane, version in facts.installed if target and facts.strategy == "in_place" else ():
        if target and is_downgrade(version, target):
            way = f"{target} may come beside it as a revision of its own, and the namespaces move to that"
            yield named(plane), f"it runs {version}, which is newer than {target}. The way back: {way}"


def skipped_minor(facts: Facts) -> Trouble:
    target, strategy = facts.target.version, facts.strategy
    how = "in place one minor release is a step" if STRIDE[strategy] == 1 else "beside each other two are the most"
    for plane, version in facts.installed if target else ():
        if target and strategy == "revision" and is_too_far(target, version, strategy):
            yield named(plane), f"it runs {version}, to which {target} is too far back: {how}"
        elif target and is_too_far(version, target, strategy):
            way = " -> ".join([str(version), *path(version, target, strategy)])
            yield named(plane), f"it runs {version}, and {how}. The way is {way}"


def proxy_skew(facts: Facts) -> Trouble:
    """Proxies of the revision meet the new istiod at once; those of others only after a restart, which renews them."""
    target = facts.target.version
    for pod in living(facts.cluster) if target and facts.same_revision else ():
        version = version_of_tag(proxy_version(pod))
        if target and version and injected_by(pod) == facts.target.revision:
            trouble = proxy_trouble(version.minor, target.minor)
            if trouble:
                yield named(pod), f"its proxy is {version}: {trouble}"


def withdrawn(facts: Facts) -> Trouble:
    why = WITHDRAWN.get(str(facts.target.version))
    if why and not facts.is_running:
        yield f"Istio {facts.target.version}", why


def not_supported(facts: Facts) -> Trouble:
    for what, version in _versions(facts):
        ended = has_ended(version, facts.day)
        if ended:
            yield what, f"{shown(version.minor)} is not supported since {ended.isoformat()}"


def not_safe(facts: Facts) -> Trouble:
    for what, version in _versions(facts):
        if version.minor in RELEASES and not is_safe(version):
            yield (
                what,
                f"security corrections are missing in {version}: {RELEASES[version.minor].minimum_safe} has them",
            )


def _versions(facts: Facts) -> list[tuple[str, Version]]:
    """What shall run, and what already does beside it."""
    target = facts.target.version
    others = [(named(plane), version_of_tag(version_of(plane))) for plane in istiods(facts.cluster)]
    found = [(f"Istio {target}", target), *((name, version) for name, version in others if version != target)]
    return [(name, version) for name, version in found if version]


def dead_hub(facts: Facts) -> Trouble:
    """Images that cannot be pulled: never published there, or not any more."""
    hub, version = facts.target.image_hub, facts.target.version
    if version and hub.startswith(DEAD_HOSTS):
        if facts.day >= DEAD_SINCE:
            yield hub, f"nothing is pulled from it since {DEAD_SINCE.isoformat()}; {_instead(version)}"
        elif not hub.startswith(hosts_of(str(version)).images):
            yield hub, f"{version} is not published there; {_instead(version)}"


def ending_hub(facts: Facts) -> Trouble:
    """Images that will not be pulled any more, which the next replacement of a node finds out."""
    hub, version = facts.target.image_hub, facts.target.version
    if version and hub.startswith(DEAD_HOSTS) and facts.day < DEAD_SINCE:
        yield hub, f"nothing is pulled from it from {DEAD_SINCE.isoformat()} on; {_instead(version)}"
    for pod in living(facts.cluster):
        image = str((proxy_of(pod) or {}).get("image") or "")
        if image.startswith(DEAD_HOSTS):
            yield named(pod), f"its image {image} is at a host that Istio gives up on {DEAD_SINCE.isoformat()}"


def _instead(version: Version) -> str:
    return f"use {hosts_of(str(version)).images[0]} or a mirror of your own"


def gateway_api(facts: Facts) -> Trouble:
    """CRDs that the new istiod would ignore in silence, while there are objects of them."""
    version = facts.target.version
    for bundle in bundles_of(version.minor) if version else ():
        crd = facts.cluster.named(CRD, bundle.crd)
        served = served_by(crd) if crd else None
        if crd is None or served is None or not facts.cluster.of(served):
            continue
        has = (crd["metadata"].get("annotations") or {}).get(_BUNDLE_VERSION, "")
        if has and not _within(has, bundle):
            count = len(facts.cluster.of(served))
            yield (
                bundle.crd,
                f"its version is {has}, Istio {version} needs {_needed(bundle)}, and there are {count} objects of it",
            )


def _needed(bundle: Bundle) -> str:
    if not bundle.most:
        return f"{bundle.least} or newer"
    return (
        f"{bundle.most} or older. No version serves 1.29 and 1.30 both, so between the change of the CRDs and that of "
        "istiod these routes are out: plan for it, or route by a Gateway and VirtualService of Istio's for that time"
    )


def _within(version: str, bundle: Bundle) -> bool:
    number = _numbers(version)
    return not (bundle.least and number < _numbers(bundle.least)) and not (
        bundle.most and number > _numbers(bundle.most)
    )


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.partition("-")[0])]


def envoy_filters(facts: Facts) -> Trouble:
    """Patches of Envoy's own configuration, which no release promises to keep."""
    if facts.is_running:
        return
    for found in facts.cluster.of(ENVOY_FILTER.resource):
        yield named(found), "it patches Envoy's configuration, whose shape may change with any version: try it first"


def renamed_filter(facts: Facts) -> Trouble:
    version = facts.target.version
    for found in facts.cluster.of(ENVOY_FILTER.resource) if version and version.minor >= _RENAMED_SINCE else ():
        if _RENAMED in str(found.get("spec")) and "GATEWAY" in str(found.get("spec")):
            yield (
                named(found),
                f"it patches {_RENAMED} by name, of which gateways have two from {shown(_RENAMED_SINCE)} on",
            )
