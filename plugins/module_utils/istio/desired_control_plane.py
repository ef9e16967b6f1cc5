# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control plane as it shall be, and what its options say as values of the charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.errors import Failure
from . import facts, modes
from .charts import ChartSource
from .revisions import named, shown
from .sizing import SIZES
from .values import Tree, at, merged

BASE, ISTIOD, CNI, ZTUNNEL = "base", "istiod", "cni", "ztunnel"
# In the order in which they are installed and upgraded (Istio: CRDs, control plane, node agents, node proxies).
COMPONENTS = (BASE, ISTIOD, CNI, ZTUNNEL)
DEFAULT_COMPONENTS = (BASE, ISTIOD)
# There is one of each in a cluster, whatever revisions it has.
SHARED = (BASE, CNI, ZTUNNEL)
MERGE, REPLACE = "merge", "replace"
VALUES_MERGE = (MERGE, REPLACE)

# The chart's profile for a cluster without a control plane of its own.
REMOTE_PROFILE = "remote"
# What the task needs to know itself is said by an option; said in values, the two could differ.
_SAID_BY_OPTION: Mapping[tuple[str, ...], str] = {
    ("revision",): "revision",
    ("istioNamespace",): "namespace",
    ("global", "istioNamespace"): "namespace",
}
_MOUNTS = ("volumes", "volumeMounts")
# ConfigMaps of the chart, and where istiod looks first. Source: pilot/pkg/bootstrap, mesh.go and sidecarinjector.go.
_MOUNTED = (("istio", "/etc/istio/config"), ("istio-sidecar-injector", "/var/lib/istio/inject"))
_REPLICAS = {"least": 2, "most": 5}


class ConflictingOptions(Failure):
    """Two options that cannot both be meant."""

    code = "conflicting_options"


@dataclass(frozen=True)
class Remote:
    """A cluster that a control plane elsewhere serves: the name of that one's cluster, and where it is reached.

    Without one of them it is the one that the cluster has.
    """

    primary: str = ""
    address: str = ""


@dataclass(frozen=True)
class ControlPlane:
    """A control plane as it shall be, or with `remote` what a cluster needs of one that is elsewhere.

    `config_cluster` is the name of the cluster in which an external one has its configuration.
    The default revision's name is empty.
    """

    version: str
    charts: ChartSource
    mode: str = modes.DEDICATED
    namespace: str = facts.ROOT_NAMESPACE
    revision: str = ""
    components: tuple[str, ...] = DEFAULT_COMPONENTS
    profile: str | None = None
    platform: str | None = None
    compatibility_version: str | None = None
    image_hub: str = "docker.io/istio"
    pull_secrets: tuple[str, ...] = ()
    mesh_id: str | None = None
    cluster_name: str | None = None
    network: str | None = None
    remote: Remote | None = None
    config_cluster: str = ""
    inventory: str = ""
    take_over_from: str = ""
    protected: bool = False
    adopt: frozenset[str] = frozenset()
    adopt_changes: bool = False
    mesh_config: Mapping[str, Any] = field(default_factory=dict)
    high_availability: bool = False
    sizing: str | None = None
    injection_default: bool = False
    values: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    values_merge: str = MERGE
    helm: str = "helm"
    wait_timeout: float = 300.0

    @property
    def istiod(self) -> str:
        """The name of its Deployment and its Service."""
        return named("istiod", self.revision)

    def own_values(self, component: str) -> Mapping[str, Any]:
        """What the user says to one chart."""
        return self.values.get(component) or {}


def judged(wanted: ControlPlane) -> ControlPlane:
    """The same, if it can be right. Raises ConflictingOptions."""
    if wanted.remote:
        _judge_remote(wanted)
    if wanted.config_cluster:
        _judge_external(wanted)
    for component in COMPONENTS:
        own = wanted.values.get(component)
        if own is not None and component not in wanted.components:
            raise ConflictingOptions(
                f"There are values for the component '{component}', which is not to be installed",
                subject=f"values.{component}",
                reason=f"'components' are {', '.join(wanted.components)}",
                hint=f"Add {component} to 'components', or take its values away",
            )
        for path, option in _SAID_BY_OPTION.items():
            if at(own or {}, path) is not None:
                raise ConflictingOptions(
                    f"'{'.'.join(path)}' of the chart '{component}' is said by the option '{option}'",
                    subject=f"values.{component}.{'.'.join(path)}",
                    reason="the task has to know it, too, to find what it installs",
                    hint=f"Set '{option}' and take the value away",
                )
    return wanted


def _judge_remote(wanted: ControlPlane) -> None:
    """A cluster without a control plane of its own says whose it is served by, and has nothing that runs one."""
    if wanted.mode != modes.HOSTED:
        raise ConflictingOptions(
            "A cluster whose control plane is elsewhere belongs to a hosted mesh",
            subject="remote",
            reason=f"'mode' is {wanted.mode}",
            hint="Set 'mode: hosted' (mesh_mode), or take 'remote' away",
        )
    if not wanted.cluster_name:
        raise ConflictingOptions(
            "A cluster whose control plane is elsewhere has to be named",
            subject="cluster_name",
            reason="the control plane knows by it from which cluster a Pod is",
            hint="Set 'cluster_name', the name by which the primary reads this cluster",
        )
    if wanted.profile or wanted.high_availability or wanted.sizing:
        raise ConflictingOptions(
            f"There is no istiod on {wanted.cluster_name} that a profile, a size or replicas could be for",
            subject="remote",
            reason="a control plane elsewhere serves it",
            hint="Say 'profile', 'sizing' and 'high_availability' for the primary, and nothing of them here",
        )


def _judge_external(wanted: ControlPlane) -> None:
    """A control plane that serves other clusters alone has nothing to do with the objects of its own."""
    if wanted.mode != modes.HOSTED or wanted.remote:
        raise ConflictingOptions(
            "An external control plane belongs to a hosted mesh, and is served by none itself",
            subject="config_cluster",
            reason=f"'remote' names {wanted.remote.primary}" if wanted.remote else f"'mode' is {wanted.mode}",
            hint="Set 'mode: hosted' (mesh_mode) and take 'remote' away, or take 'config_cluster' away",
        )
    if wanted.components != (ISTIOD,):
        raise ConflictingOptions(
            f"An external control plane is its istiod alone, and 'components' are {', '.join(wanted.components)}",
            subject="components",
            reason=f"CRDs and validation are in {wanted.config_cluster}, and no Pods of this cluster are in the mesh",
            hint="Say 'components: [istiod]'",
        )
    for name in _MOUNTS:
        if name in wanted.own_values(ISTIOD):
            raise ConflictingOptions(
                f"'{name}' of an external control plane hold what it is told of its mesh, which yours would replace",
                subject=f"values.{ISTIOD}.{name}",
                reason="a list in the values of a chart is replaced, not joined",
                hint=f"Take '{name}' away; certificates are mounted by the chart itself (Secret cacerts)",
            )


def chart_values(wanted: ControlPlane, component: str) -> Tree:
    """The values of one chart: what the options say, and over it what the user says."""
    told = _identity(wanted, component)
    if wanted.values_merge == MERGE or wanted.values.get(component) is None:
        told = merged(told, _behaviour(wanted, component))
    return merged(told, wanted.own_values(component))


def _identity(wanted: ControlPlane, component: str) -> Tree:
    """Who and where it is, and where its images come from: no values of the user's make the options forget it."""
    if component == ZTUNNEL:
        return _identity_of_ztunnel(wanted)
    told: Tree = {} if component == CNI else {"istioNamespace": wanted.namespace}
    if component != BASE:
        told |= {"hub": wanted.image_hub, "tag": wanted.version}
    if wanted.pull_secrets:
        told["imagePullSecrets"] = list(wanted.pull_secrets)
    if component == ISTIOD:
        told |= _given(meshID=wanted.mesh_id, network=wanted.network)
        cluster = wanted.config_cluster or wanted.cluster_name
        told |= {"multiCluster": {"clusterName": cluster}} if cluster else {}
        told |= {"externalIstiod": True} if wanted.mode == modes.HOSTED and not wanted.remote else {}
        more = merged(_served_from_elsewhere(wanted), _serving_elsewhere(wanted))
        return merged({"global": told, **_given(revision=wanted.revision)}, more)
    return {"global": told}


def _serving_elsewhere(wanted: ControlPlane) -> Tree:
    """What an istiod is told that has its configuration elsewhere (istio.io, external control plane).

    Webhooks are in the clusters that it serves; the Secrets by which it reads them are where it runs. So are MeshConfig
    and templates of proxies, which have to be mounted: otherwise it would look for them where its configuration is.
    """
    if not wanted.config_cluster:
        return {}
    webhooks = {"operatorManageWebhooks": True, "configValidation": False}
    maps = {named(name, wanted.revision): path for name, path in _MOUNTED}
    return {
        "global": webhooks,
        "env": {facts.READS_WHERE_IT_RUNS: "true"},
        "volumes": [{"name": name, "configMap": {"name": name}} for name in maps],
        "volumeMounts": [{"name": name, "mountPath": path, "readOnly": True} for name, path in maps.items()],
    }


def _served_from_elsewhere(wanted: ControlPlane) -> Tree:
    """What leads Pods and the API server of a remote cluster to its control plane (istio.io, primary-remote)."""
    if not wanted.remote:
        return {}
    path = f"/inject/cluster/{wanted.cluster_name}" + (f"/net/{wanted.network}" if wanted.network else "")
    return {
        "profile": REMOTE_PROFILE,
        "global": {"configCluster": True, "remotePilotAddress": wanted.remote.address},
        "istiodRemote": {"injectionPath": path},
    }


def _identity_of_ztunnel(wanted: ControlPlane) -> Tree:
    """ztunnel's chart has at the top what the others have below `global`."""
    cluster = {"multiCluster": {"clusterName": wanted.cluster_name}} if wanted.cluster_name else {}
    secrets = {"imagePullSecrets": list(wanted.pull_secrets)} if wanted.pull_secrets else {}
    return {
        "istioNamespace": wanted.namespace,
        "hub": wanted.image_hub,
        "tag": wanted.version,
        **secrets,
        **cluster,
        **_given(network=wanted.network, revision=wanted.revision),
    }


def _behaviour(wanted: ControlPlane, component: str) -> Tree:
    told: Tree = _given(
        profile=wanted.profile, platform=wanted.platform, compatibilityVersion=wanted.compatibility_version
    )
    if component != ISTIOD:
        return told
    if CNI in wanted.components:
        told["cni"] = {"enabled": True}  # without it every Pod would still bring an init container of its own
    if wanted.injection_default:
        told["sidecarInjectorWebhook"] = {"enableNamespacesByDefault": True}
    if wanted.mesh_config:
        told["meshConfig"] = dict(wanted.mesh_config)
    if wanted.sizing:
        told["resources"] = {kind: dict(amounts) for kind, amounts in SIZES[wanted.sizing].items()}
    return {**told, **(_replicated(wanted) if wanted.high_availability else {})}


def _replicated(wanted: ControlPlane) -> Tree:
    """Two istiods and more, on different nodes where there are any; the chart adds a disruption budget by itself."""
    labels = {"app": "istiod", facts.REVISION_LABEL: shown(wanted.revision)}
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    return {
        "autoscaleMin": _REPLICAS["least"],
        "autoscaleMax": _REPLICAS["most"],
        "topologySpreadConstraints": [spread],
    }


def _given(**values: str | None) -> Tree:
    return {name: value for name, value in values.items() if value}
