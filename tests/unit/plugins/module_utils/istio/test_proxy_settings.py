"""Settings that a proxy keeps until its Pod is made again."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injector_config import InjectorConfig
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.proxy_settings import (
    resources_of,
    setting_differences,
    wish_of,
)
from unit.support.clusters import Made, made, pod

CPU, LIMIT, LEVEL = "sidecar.istio.io/proxyCPU", "sidecar.istio.io/proxyCPULimit", "sidecar.istio.io/logLevel"
PORTS, CONFIG = "traffic.sidecar.istio.io/excludeInboundPorts", "proxy.istio.io/config"
STATED = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "2000m"}}
VALUES = {"global": {"proxy": {"resources": STATED, "logLevel": "warning", "componentLogLevel": "misc:error"}}}
ARGUMENTS = ["proxy", "sidecar", "--proxyLogLevel=warning", "--proxyComponentLogLevel=misc:error"]
RANGE = made(
    "LimitRange",
    "web/all",
    spec={
        "limits": [
            {"type": "Pod", "max": {"cpu": "9"}},
            {"type": "Container", "default": {"cpu": "4", "memory": "1Gi"}, "defaultRequest": {"memory": "64Mi"}},
        ]
    },
)


def running(resources: Any = STATED, args: Any = ARGUMENTS, agents: bool = False, **annotations: Any) -> Made:
    found = pod("web/a", "default")
    (proxy,) = found["spec"]["initContainers"]
    proxy |= {"resources": resources, "args": args}
    found["spec"]["initContainers"] = [{"name": "istio-validation" if agents else "istio-init"}, proxy]
    found["metadata"]["annotations"] |= {_NAMES[name]: value for name, value in annotations.items()}
    return found


_NAMES = {"cpu": CPU, "limit": LIMIT, "level": LEVEL, "ports": PORTS, "config": CONFIG}


def differences(found: Made, *limits: Made, values: Any = VALUES, own: Any = None, **annotations: str) -> list[str]:
    template: Made = {"metadata": {"annotations": {_NAMES[name]: value for name, value in annotations.items()}}}
    if own:
        template["spec"] = {"containers": [own]}
    return list(setting_differences(found, wish_of(template, InjectorConfig(values=values), limits)))


def test_a_proxy_as_the_control_plane_makes_it() -> None:
    assert differences(running()) == []
    assert differences(running({"requests": {"cpu": "0.1", "memory": "128Mi"}, "limits": {"cpu": 2}})) == []


def test_amounts_of_the_control_plane() -> None:
    assert differences(running({"requests": {"cpu": "50m", "memory": "128Mi"}})) == [
        "has the cpu request 50m, and would have 100m",
        "has the cpu limit none, and would have 2000m",
    ]


def test_one_annotation_makes_istiod_forget_the_amounts_of_the_control_plane() -> None:
    assert differences(running(cpu="200m"), cpu="200m") == [
        "has the cpu request 100m, and would have 200m",
        "has the memory request 128Mi, and would have none",
        "has the cpu limit 2000m, and would have none",
    ]
    assert differences(running({"requests": {"cpu": "200m"}}, cpu="200m"), cpu="200m") == []


def test_a_limit_alone_is_also_the_request() -> None:
    same = {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}
    assert differences(running(same, limit="1"), limit="1") == []


def test_defaults_of_the_namespace_come_after_that() -> None:
    given = {"requests": {"cpu": "200m", "memory": "64Mi"}, "limits": {"cpu": "4", "memory": "1Gi"}}
    assert differences(running(given, cpu="200m"), RANGE, cpu="200m") == []


def test_log_levels() -> None:
    assert differences(running(level="debug"), level="debug") == ["has --proxyLogLevel=warning, and would have debug"]
    louder = {"global": {"proxy": {**VALUES["global"]["proxy"], "componentLogLevel": "misc:info"}}}
    assert differences(running(), values=louder) == [
        "has --proxyComponentLogLevel=misc:error, and would have misc:info"
    ]
    assert differences(running(args=["proxy"])) == []


@pytest.mark.parametrize(
    ("agents", "has", "wanted", "told"),
    [
        (False, {}, {"ports": "81"}, ["has traffic.sidecar.istio.io/excludeInboundPorts=none, and would have 81"]),
        (False, {"ports": "81"}, {}, ["has traffic.sidecar.istio.io/excludeInboundPorts=81, and would have none"]),
        (True, {"ports": ""}, {}, []),  # a node agent is told so by istiod
        (
            True,
            {"ports": "81"},
            {"ports": "82"},
            ["has traffic.sidecar.istio.io/excludeInboundPorts=81, and would have 82"],
        ),
        (False, {"config": "a"}, {"config": "a"}, []),
    ],
)
def test_other_annotations(agents: bool, has: dict[str, str], wanted: dict[str, str], told: list[str]) -> None:
    assert differences(running(agents=agents, **has), **wanted) == told


def test_a_proxy_that_the_template_describes_is_its_own() -> None:
    assert differences(running({}), own={"name": "istio-proxy", "image": "auto"}) == []


def test_values_that_are_not_known_say_nothing() -> None:
    assert differences(running({}), values={}) == []


def test_what_it_really_has() -> None:
    assert resources_of(running()) == STATED
    assert resources_of(running({})) == {}
    assert resources_of(pod("web/a")) == {}
