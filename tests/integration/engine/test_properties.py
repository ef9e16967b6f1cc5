"""What has to hold for any input: tried with random ones, on a real API server, with the audit log as the judge."""

from __future__ import annotations

import base64
import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import PART_OF, Desired
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objectset import ObjectSet, open_set
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from integration.engine.driver import MANAGER, Engine, Object, config_map, named, virtual_service
from integration.support.bed import Cluster

pytestmark = pytest.mark.usefixtures("crds")
EXAMPLES = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CHARACTERS = st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cn"])
NUMBERS = itertools.count()
NAMES = [f"object-{number}" for number in range(8)]
CPU = st.sampled_from(["1", "1000m", "0.5", "500m", "1.5", 2, 0.25])
MEMORY = st.sampled_from(["1Gi", "1024Mi", "1048576Ki", "1.5Gi", "128e6", "1G", 134217728])


@pytest.fixture(scope="module")
def place(cluster: Cluster, namespaces: list[str]) -> str:
    namespaces.append(f"test-properties-{uuid.uuid4().hex[:8]}")
    cluster.create_namespace(namespaces[-1])
    return namespaces[-1]


@pytest.fixture
def here(place: str, changes: Callable[[], list[str]]) -> Callable[[], list[str]]:
    """What we have persisted in this file's namespace since the last call."""
    return lambda: [line for line in changes() if f" {place}/" in line]


@pytest.fixture
def engine(cluster: Cluster) -> Engine:
    return Engine(cluster.kubeconfig)


def deployment(name: str, namespace: str, cpu: Any, memory: Any, **pod: Any) -> Object:
    resources = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}
    container = {"name": "web", "image": "example.com/web:1", "resources": resources}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **pod}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return named("Deployment", name, namespace, "apps/v1", spec=spec)


def autoscaler(name: str, namespace: str, cpu: Any) -> Object:
    metric = {"name": "cpu", "target": {"type": "AverageValue", "averageValue": cpu}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "metrics": [{"type": "Resource", "resource": metric}]}
    return named("HorizontalPodAutoscaler", name, namespace, "autoscaling/v2", spec=spec)


def service(name: str, namespace: str, ports: list[int], **spec: Any) -> Object:
    rows = [{"name": f"p{port}", "port": port} for port in ports]
    return named("Service", name, namespace, spec={"selector": {"app": name}, "ports": rows, **spec})


@st.composite
def with_defaults(draw: st.DrawFn) -> Callable[[str, str], list[Object]]:
    """Objects that the server completes and whose quantities it writes in another way."""
    cpu, memory = draw(CPU), draw(MEMORY)
    ports = draw(st.lists(st.integers(1, 65535), min_size=1, max_size=3, unique=True))
    pod: Object = draw(st.sampled_from([{}, {"restartPolicy": "Always"}, {"nodeSelector": {}}, {"tolerations": []}]))
    more: Object = draw(st.sampled_from([{}, {"type": "ClusterIP"}, {"clusterIP": "None"}, {"type": "NodePort"}]))
    return lambda name, namespace: [
        deployment(name, namespace, cpu, memory, **pod),
        service(name, namespace, ports, **more),
        autoscaler(name, namespace, cpu),
    ]


@EXAMPLES
@given(made=with_defaults())
def test_defaults_and_quantities_never_cause_a_write(
    engine: Engine, place: str, here: Callable[[], list[str]], made: Callable[[str, str], list[Object]]
) -> None:
    wanted = made(f"defaults-{next(NUMBERS)}", place)
    assert engine.run(wanted).changed
    assert len(here()) == len(wanted)
    again = engine.run(wanted)
    assert (again.plan(), here()) == ([], [])


@st.composite
def wishes(draw: st.DrawFn) -> tuple[Callable[[str], tuple[list[Object], list[Object]]], bool]:
    """Which of some objects shall be there and how, and which shall not; the rest is not mentioned."""
    fates = {name: draw(st.sampled_from(["a", "b", "absent", "not named"])) for name in NAMES}

    def made(namespace: str) -> tuple[list[Object], list[Object]]:
        every = {name: _one(number, name, namespace, fates[name]) for number, name in enumerate(NAMES)}
        present = [every[name] for name in NAMES if fates[name] in ("a", "b")]
        return present, [every[name] for name in NAMES if fates[name] == "absent"]

    return made, draw(st.booleans())


def _one(number: int, name: str, namespace: str, text: str) -> Object:
    if number % 3 == 0:
        return config_map(name, namespace, text=text)
    if number % 3 == 1:
        return virtual_service(name, namespace, f"{name}-{text}")
    return service(name, namespace, [80 if text == "a" else 8080])


@EXAMPLES
@given(wish=wishes())
def test_plan_is_the_run(
    engine: Engine,
    place: str,
    here: Callable[[], list[str]],
    wish: tuple[Callable[[str], tuple[list[Object], list[Object]]], bool],
) -> None:
    """Whatever the wishes before have left: check mode says, and a run does, the same; then there is nothing to do."""
    present, absent = wish[0](place)
    of = ObjectSet("properties", place, prune=wish[1], adopt=True)
    check = engine.run(present, absent, check=True, object_set=of)
    assert here() == []
    done = engine.run(present, absent, object_set=of)
    assert (done.plan(), done.diff()) == (check.plan(), check.diff())
    assert {line.rpartition("/")[2] for line in here()} - {"properties"} == {
        row["name"] for row in done.plan() if row["name"] != "properties"
    }
    again = engine.run(present, absent, object_set=of)
    assert (again.plan(), here()) == ([], [])


@EXAMPLES
@given(
    owners=st.lists(st.sampled_from(["nobody", "ours", "copied", "other"]), min_size=6, max_size=6),
    wanted=st.sets(st.integers(0, 5)),
)
def test_prune_never_selects_what_has_no_label_of_ours(
    engine: Engine, cluster: Cluster, place: str, owners: list[str], wanted: set[int]
) -> None:
    """Nor what a controller has copied it to."""
    name = f"pruning-{next(NUMBERS)}"
    of, other = ObjectSet(name, place, prune=True), ObjectSet("other", place)
    engine.run([config_map(f"{name}-anchor", place)], object_set=of)
    labels = {"ours": (of, MANAGER), "copied": (of, "istio.io/gateway-controller"), "other": (other, MANAGER)}
    for owner, (label, manager) in labels.items():
        for number in (number for number, one in enumerate(owners) if one == owner):
            cluster.apply(config_map(f"{name}-{number}", place, {PART_OF: label.id}), manager=manager)
    desired = [Desired(config_map(one, place)) for one in (f"{name}-anchor", *(f"{name}-{one}" for one in wanted))]
    selected = {key.name for key in open_set(engine.client(), of, MANAGER, desired, []).pruned}
    assert selected == {
        f"{name}-{number}" for number, owner in enumerate(owners) if owner == "ours" and number not in wanted
    }


@EXAMPLES
@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cn"]), min_size=8)
)
def test_no_part_of_a_secret_is_in_any_output(engine: Engine, cluster: Cluster, place: str, secret: str) -> None:
    """Created, changed, refused for its shape, refused for its owner: neither result nor message says it."""
    name = f"secret-{next(NUMBERS)}"
    good = named("Secret", name, place, stringData={"key": f"1{secret}"})
    changed = named("Secret", name, place, stringData={"key": secret})
    outputs = [_said(engine, one, check) for one in (good, changed) for check in (True, False)]
    outputs.append(_said(engine, {**changed, "data": {"key": secret}}, False))
    cluster.patch("secret", name, place, {"stringData": {"key": "theirs"}})
    outputs.append(_said(engine, changed, False))
    forms = (secret, json.dumps(secret, ensure_ascii=False)[1:-1], base64.b64encode(secret.encode()).decode())
    assert [text for text in outputs if any(form in text for form in forms)] == []


def _said(engine: Engine, content: Object, check: bool) -> str:
    try:
        outcome = engine.run([content], check=check)
    except Failure as failure:
        return f"{failure} {json.dumps(failure.as_dict(), ensure_ascii=False)}"
    return json.dumps([outcome.plan(), outcome.diff(), outcome.warnings], ensure_ascii=False)
