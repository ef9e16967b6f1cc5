"""What is measured, in which order: a suite is prepared once and then repeated round by round.

In a round the contenders take turns, each beginning with an empty API server, so that whatever slows the machine down
for a minute hits all of them, and none meets fields that another one owns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks import rows, workload
from benchmarks.contenders import NOTHING, Contenders, core, documents, ours
from benchmarks.files import variables
from benchmarks.measure import Command
from benchmarks.rows import CORE, EMPTY, HELM, KAPP, KUBECTL, OURS, Row
from integration.support import bed

Step = Command | Literal["wipe"]
WIPE: Literal["wipe"] = "wipe"
# How many objects differ in a check, and how many tasks share the cost of one more.
DIFFERENT = 10
MORE = 10
# A mesh whose control planes are not there: what they take is measured in a suite of its own.
SOMEBODY_ELSES = {"mesh_mode": "external"}


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    objects: int
    many: int
    namespaces: int
    loop: int
    forks: int
    runs: int


FULL = Scale(objects=1000, many=10_000, namespaces=50, loop=50, forks=25, runs=5)
QUICK = Scale(objects=100, many=1000, namespaces=5, loop=5, forks=5, runs=1)


@dataclass(frozen=True)
class Suite:
    """Steps once, and steps in every round. `prepare` is not measured, but must succeed."""

    prepare: tuple[Step, ...]
    round: tuple[Step, ...]

    @property
    def rows(self) -> list[Row]:
        return [step.row for step in self.round if isinstance(step, Command)]


@dataclass(frozen=True)
class Kit:
    """What suites are made with. `options` are those that our config module has."""

    contenders: Contenders
    scale: Scale
    namespaces: tuple[str, ...]
    kapp: str | None
    options: frozenset[str]

    def objects(self, count: int) -> list[workload.Object]:
        return workload.objects(count, self.namespaces)

    def manifests(self, name: str, objects: list[workload.Object]) -> Path:
        return self.contenders.files.manifests(name, objects)

    def local(self, name: str, values: Mapping[str, Any] | None = None) -> Path:
        """An inventory of one host."""
        return self.contenders.files.inventory(name, {"localhost": {}}, values or {})


def proof(changed: bool, hosts: int = 1) -> dict[str, Any]:
    """What the recap of a playbook has to say."""
    return {"says": (f"changed={int(changed)} ", hosts)}


def objects(kit: Kit) -> Suite:
    """The same objects from the same files by everybody: fresh, again, and checked with a few changes."""
    made = kit.objects(kit.scale.objects)
    same = kit.manifests("objects", made)
    other = kit.manifests("changed", workload.changed(made, DIFFERENT))
    here = kit.local("one-host")
    theirs = (*_kubectl(kit, same, other), *_kapp(kit, same, other), *_core(kit, here, same, other))
    return Suite((), (*theirs, *_schema(kit, here, same), *_ours(kit, here, same, other)))


def _kubectl(kit: Kit, same: Path, other: Path) -> tuple[Step, ...]:
    run, count = kit.contenders.kubectl, kit.scale.objects
    applied = {"says": ("serverside-applied", count), "least_writes": count}
    return (
        WIPE,
        run(Row(rows.FRESH, KUBECTL), "apply", same, **applied),
        run(Row(rows.SECOND, KUBECTL), "apply", same, **applied),
        run(Row(rows.SECOND_MEMORY, KUBECTL), "apply", same, sampled=True, **applied),
        run(Row(rows.CHANGES, KUBECTL), "diff", other, exit_code=1, says=("diff -u", DIFFERENT)),
    )


def _kapp(kit: Kit, same: Path, other: Path) -> tuple[Step, ...]:
    """Only where it is. Its own records lie in one of the namespaces, so that they go away with the objects."""
    if not kit.kapp:
        return ()
    start = (kit.kapp, "deploy", "--app", "benchmark", "--namespace", kit.namespaces[0])
    unchanged: dict[str, Any] = {"says": ("0 create, 0 delete, 0 update", 1)}
    run, count = kit.contenders.kapp, kit.scale.objects
    return (
        WIPE,
        run(Row(rows.FRESH, KAPP), start, same, least_writes=count),
        run(Row(rows.SECOND, KAPP), start, same, **unchanged),
        run(Row(rows.SECOND_MEMORY, KAPP), start, same, sampled=True, **unchanged),
        run(Row(rows.CHANGES, KAPP), start, other, "--diff-run", "--diff-changes", says=(f"{DIFFERENT} update", 1)),
    )


def _core(kit: Kit, here: Path, same: Path, other: Path) -> tuple[Step, ...]:
    run, count = kit.contenders.playbook, kit.scale.objects
    one, changed = [core(documents(same))], [core(documents(other))]
    few = kit.manifests("few", kit.objects(count)[: kit.scale.loop])
    loop = [core("{{ item }}", loop=documents(few))]
    return (
        WIPE,
        run(Row(rows.FRESH, CORE), here, one, least_writes=count),
        run(Row(rows.SECOND, CORE), here, one, **proof(False)),
        run(Row(rows.SECOND_MEMORY, CORE), here, one, sampled=True, **proof(False)),
        run(Row(rows.CHANGES, CORE), here, changed, "--check", "--diff", **proof(True)),
        run(Row(rows.LOOP, CORE), here, loop, **proof(False)),
    )


def _ours(kit: Kit, here: Path, same: Path, other: Path) -> tuple[Step, ...]:
    run, count = kit.contenders.playbook, kit.scale.objects
    one, changed = [ours(same)], [ours(other)]
    return (
        WIPE,
        run(Row(rows.FRESH, OURS), here, one, least_writes=count),
        run(Row(rows.SECOND, OURS), here, one, **proof(False)),
        run(Row(rows.SECOND_MEMORY, OURS), here, one, sampled=True, **proof(False)),
        run(Row(rows.CHANGES, OURS), here, changed, "--check", "--diff", says=("+++ after", DIFFERENT)),
    )


def _schema(kit: Kit, here: Path, same: Path) -> tuple[Step, ...]:
    """Only where the config module can do it."""
    if "validate" not in kit.options:
        return ()
    tasks = [ours(same, validate="schema")]
    command = kit.contenders.playbook(Row(rows.FRESH_SCHEMA, OURS), here, tasks, least_writes=kit.scale.objects)
    return (WIPE, command)


def inventory(kit: Kit) -> Suite:
    """The objects as inventory variables, and what Ansible takes for these variables alone."""
    values = variables(kit.objects(kit.scale.objects))
    here = kit.local("variables", {f"mesh_config_{name}": value for name, value in values.items()})
    options = {name: f"{{{{ mesh_config_{name} }}}}" for name in values}
    run, tasks = kit.contenders.playbook, [{"name": "Ours", "service_mesh.istio.config": options}]
    return Suite(
        (WIPE, run(Row(rows.VARIABLES, OURS), here, tasks, least_writes=kit.scale.objects)),
        (
            run(Row(rows.VARIABLES, EMPTY), here, [NOTHING]),
            run(Row(rows.VARIABLES, OURS), here, tasks, **proof(False)),
        ),
    )


def many(kit: Kit) -> Suite:
    """Ten times the objects."""
    same = kit.manifests("many", kit.objects(kit.scale.many))
    run, here, tasks = kit.contenders.playbook, kit.local("many-host"), [ours(same)]
    return Suite(
        (WIPE, run(Row(rows.MANY, OURS), here, tasks, least_writes=kit.scale.many)),
        (
            run(Row(rows.MANY, OURS), here, tasks, **proof(False)),
            run(Row(rows.MANY_MEMORY, OURS), here, tasks, sampled=True, **proof(False)),
        ),
    )


def hosts(kit: Kit) -> Suite:
    """A fleet: every host has the objects of one namespace."""
    made = kit.objects(kit.scale.objects)
    shares = {name: [entry for entry in made if entry["metadata"]["namespace"] == name] for name in kit.namespaces}
    each = {name: {"mesh_config_src": str(kit.manifests(f"of-{name}", share))} for name, share in shares.items()}
    fleet = kit.contenders.files.inventory("fleet", each, SOMEBODY_ELSES)
    run, forks, tasks = kit.contenders.playbook, f"--forks={kit.scale.forks}", [ours("{{ mesh_config_src }}")]
    whole, same = kit.contenders.played, proof(False, len(each))
    return Suite(
        (WIPE, run(Row(rows.HOSTS, OURS), fleet, tasks, forks, least_writes=kit.scale.objects)),
        (
            run(Row(rows.HOSTS, EMPTY), fleet, [NOTHING], forks),
            run(Row(rows.HOSTS, OURS), fleet, tasks, forks, **same),
            run(Row(rows.FLEET, EMPTY), fleet, [NOTHING] * MORE, forks),
            whole(Row(rows.FLEET, OURS), fleet, "service_mesh.istio.mesh", forks, **same),
        ),
    )


def task(kit: Kit) -> Suite:
    """One more task on one unchanged object, ours beside theirs."""
    entry = next(made for made in kit.objects(workload.BLOCK) if made["kind"] == "ServiceEntry")
    (options,) = variables([entry])["service_entries"]
    run, here = kit.contenders.playbook, kit.local("task-host")
    prepare: list[Step] = [WIPE]
    rounds: list[Step] = []
    for tool, one in {OURS: {"name": "Ours", "service_mesh.istio.service_entry": options}, CORE: core(entry)}.items():
        prepare.append(run(Row(rows.TASK, tool), here, [one], least_writes=1))
        rounds.append(run(Row(rows.TASK, tool), here, [one, *[NOTHING] * MORE], **proof(False)))
        rounds.append(run(Row(rows.TASKS, tool), here, [one] * (1 + MORE), **proof(False)))
    return Suite(tuple(prepare), tuple(rounds))


def control_plane(kit: Kit) -> Suite:
    """A control plane from the same charts by two releases of Helm and by our task: fresh, and again."""
    contenders, here = kit.contenders, kit.local("control-plane")
    part = f"charts-{bed.ISTIO}"
    charts = bed.parts(part)[part]
    tasks = [contenders.control_plane(charts)]
    deployed: dict[str, Any] = {"says": ("STATUS: deployed", 2)}
    return Suite(
        (),
        (
            WIPE,
            contenders.helm(Row(rows.INSTALLED, HELM), charts, **deployed),
            contenders.helm(Row(rows.PLANE, HELM), charts, **deployed),
            WIPE,
            contenders.playbook(Row(rows.INSTALLED, OURS), here, tasks, **proof(True)),
            contenders.playbook(Row(rows.PLANE, OURS), here, tasks, **proof(False)),
        ),
    )


SUITES: Mapping[str, Callable[[Kit], Suite]] = {
    "objects": objects,
    "inventory": inventory,
    "many": many,
    "hosts": hosts,
    "task": task,
    "control-plane": control_plane,
}
# These need a cluster with a node.
ON_A_CLUSTER = ("control-plane",)
