"""Settings of proxies: whether a new Pod would get another proxy than one that was made before, by real istiods."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.proxy_settings import (
    setting_differences,
    wish_of,
)

from .injection_worlds import our_injectors
from .istiods import MARK, Istiods, Made, injected

_STATUS = "sidecar.istio.io/status"
# What people set, with values of which each makes another proxy.
ANNOTATIONS: dict[str, tuple[str, ...]] = {
    "sidecar.istio.io/proxyCPU": ("50m", "0.2"),
    "sidecar.istio.io/proxyMemory": ("64Mi", "128Mi"),
    "sidecar.istio.io/proxyCPULimit": ("1", "500m"),
    "sidecar.istio.io/proxyMemoryLimit": ("1Gi", "512Mi"),
    "sidecar.istio.io/logLevel": ("debug", "info"),
    "sidecar.istio.io/componentLogLevel": ("misc:info", "http:debug"),
    "sidecar.istio.io/agentLogLevel": ("default:debug", "all:info"),
    "traffic.sidecar.istio.io/excludeInboundPorts": ("81", "82,83"),
    "traffic.sidecar.istio.io/excludeOutboundIPRanges": ("10.1.0.0/16", "10.2.0.0/16"),
    "proxy.istio.io/config": ("terminationDrainDuration: 9s", "concurrency: 3"),
}
AMOUNTS: tuple[Any, ...] = (
    {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "2000m", "memory": "1024Mi"}},
    {"requests": {"cpu": "200m", "memory": "128Mi"}, "limits": None},
    {"requests": None, "limits": {"cpu": "3"}},
)


@dataclass
class Proxies:
    """Pods before and after something has been set otherwise, in a namespace where a revision injects."""

    real: Istiods
    revision: str
    namespace: str
    seed: int

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.asks = {"istio.io/rev": self.revision}

    def differences(self, count: int) -> Iterator[str]:
        """Every change about which we are wrong."""
        before = [self._annotations() for _ in range(count)]
        self._tell("before")
        made = self.real.try_pods((self.namespace, self.asks, one) for one in before)
        after = [self._changed(one) for one in before]
        self._tell("after")
        wanted = self.real.try_pods((self.namespace, self.asks, one) for one in after)
        injectors = our_injectors(self.real)
        hook = next(one for one in injectors.hooks if one.revision == self.revision)
        config = injectors.config_of(hook)
        for wished, has, new in zip(after, made, wanted, strict=True):
            assert injected(has), has
            assert injected(new), new
            ours = list(setting_differences(has, wish_of({"metadata": {"annotations": wished}}, config, ())))
            if bool(ours) != (_proxy(has) != _proxy(new)):
                yield f"seed {self.seed}: {wished}: we say {ours}; {_proxy(has)} becomes {_proxy(new)}"

    def _tell(self, when: str) -> None:
        proxy = {
            "resources": self.random.choice(AMOUNTS),
            "logLevel": self.random.choice(("warning", "error")),
            "componentLogLevel": self.random.choice(("misc:error", "misc:warning")),
        }
        self.real.tell(self.revision, f"{when}-{self.seed}", values={"global": {"proxy": proxy}})

    def _annotations(self) -> dict[str, str]:
        chosen = self.random.sample(sorted(ANNOTATIONS), self.random.randint(0, 3))
        return {name: self.random.choice(ANNOTATIONS[name]) for name in chosen}

    def _changed(self, before: dict[str, str]) -> dict[str, str]:
        """The same, one more, one less, or others."""
        kept = dict(list(before.items())[self.random.randint(0, 1) :])
        return self.random.choice((before, before, kept, {**before, **self._annotations()}))


def _proxy(pod: Made) -> dict[str, Any]:
    """All that an injector has made of a Pod, but for the marks of these tests."""
    annotations = {key: value for key, value in pod["metadata"]["annotations"].items() if key not in (MARK, _STATUS)}
    spec = pod["spec"]
    ours = [one for one in [*spec.get("initContainers", ()), *spec["containers"]] if one["name"].startswith("istio-")]
    return {"annotations": annotations, "containers": ours}
