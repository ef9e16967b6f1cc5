"""What is said in two places agrees: modules and their metadata, roles and their specs, versions, pins."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from tree import files

ROOT = Path(__file__).resolve().parents[2]
NAME = "service_mesh.istio"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/main.yml"))
# Written in two parts, so that this file does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w.}\-])/(?:wo" + "rk|ro" + "ot)/")
UNFINISHED = re.compile(r"\b(?:TO" + "DO|FIX" + r"ME)\b")
# What refuses clusters with a sentence of its own, and reasons that people look up as much as these.
REFUSING = ("mesh_ca", "networks", "remote_address", "remote_cluster")
REASONS = ("encrypted by Ansible Vault", "know addresses of IPv4")


def load(path: str) -> dict[str, Any]:
    """A YAML file of the repository."""
    content: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return content


def group(name: str) -> set[str]:
    """Short names of the modules in an action group, with those of the groups that it extends."""
    members: set[str] = set()
    for entry in load("meta/runtime.yml").get("action_groups", {}).get(name, []):
        if isinstance(entry, dict):
            members |= {module for other in entry["metadata"]["extend_group"] for module in group(short(other))}
        else:
            members.add(short(entry))
    return members


def short(name: str) -> str:
    """A name without the collection's."""
    return name.removeprefix(f"{NAME}.")


def documentation(module: str) -> dict[str, Any]:
    """The DOCUMENTATION of a module, read without importing it."""
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DOCUMENTATION":
            content: dict[str, Any] = yaml.safe_load(ast.literal_eval(node.value))
            return content
    return {}


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the project, new ones included."""
    for path in files():
        try:
            yield path, (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def found(pattern: re.Pattern[str]) -> list[str]:
    """Places where a pattern occurs."""
    lines = ((path, number, line) for path, text in texts() for number, line in enumerate(text.splitlines(), 1))
    return [f"{path}:{number}" for path, number, line in lines if pattern.search(line)]


def test_every_module_runs_in_the_action_plugin() -> None:
    """The one action plugin bears every module's name, by a link: a redirect would rename users' tasks to `config`."""
    actions = {path.stem: path.resolve().name for path in (ROOT / "plugins" / "action").glob("*.py")}
    assert actions == dict.fromkeys(MODULES, "config.py")


def test_groups_name_every_module_and_nothing_else() -> None:
    """`module_defaults` for a group reaches all modules; each either reads or writes."""
    assert group("all") == set(MODULES)
    assert group("read") | group("write") == set(MODULES)
    assert group("read") & group("write") == set()
    assert {module for module in MODULES if module.endswith("_info")} <= group("read")


def test_every_module_states_its_attributes() -> None:
    """Check mode, diff mode and the rest are documented by the one fragment."""
    without = [
        module
        for module in MODULES
        if f"{NAME}.attributes" not in documentation(module).get("extends_documentation_fragment", [])
    ]
    assert without == []


def test_every_module_is_documented_under_its_own_name_and_a_released_version() -> None:
    """A copied header shows up here."""
    version = numbers(load("galaxy.yml")["version"])
    wrong = {
        module: (stated.get("module"), stated.get("version_added"))
        for module, stated in ((name, documentation(name)) for name in MODULES)
        if stated.get("module") != module or numbers(stated.get("version_added", "9999")) > version
    }
    assert wrong == {}


def numbers(version: str) -> list[int]:
    """A version as it compares."""
    return [int(part) for part in str(version).split(".")]


def disagreements(role: Path) -> list[str]:
    """Where a role's defaults and its argument specs differ, in names or values."""
    path = role / "defaults" / "main.yml"
    defaults = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    options = {name: option for entry in specs.values() for name, option in entry.get("options", {}).items()}
    stated = {name: option["default"] for name, option in options.items() if "default" in option}
    return [
        f"{role.name}: {name} is {defaults.get(name, 'absent')!r} in defaults, {stated.get(name, 'absent')!r} in specs"
        for name in sorted({*defaults, *stated})
        if name not in defaults or name not in stated or defaults[name] != stated[name]
    ]


def test_roles_defaults_and_specs_agree() -> None:
    """The spec is what people read, the defaults are what happens."""
    assert [line for role in ROLES for line in disagreements(role)] == []


def test_every_role_has_what_it_needs() -> None:
    """A role without a spec is not validated; one without metadata is not seen by the test above."""
    roles = [path for path in ROOT.glob("roles/*") if path.is_dir()]
    needed = ("meta/main.yml", "meta/argument_specs.yml")
    assert [f"{role.name}/{name}" for role in roles for name in needed if not (role / name).exists()] == []
    # What all share is variables, which it gives to the others.
    assert [role.name for role in roles if not (role / "tasks/main.yml").exists()] == ["mesh_common"]


def test_the_oldest_core_is_the_same_everywhere() -> None:
    """Metadata, the tools that test it, and what the README promises."""
    oldest = load("meta/runtime.yml")["requires_ansible"].removeprefix(">=")
    minor = oldest.rpartition(".")[0]
    pins = (ROOT / "tests" / f"requirements-{minor}.txt").read_text(encoding="utf-8")
    assert re.search(rf"^ansible-core=={re.escape(minor)}\.", pins, re.MULTILINE)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert minor in re.findall(r"ansible-core`?\D{0,12}(\d+\.\d+)", readme)


def test_users_get_lower_bounds_and_contributors_exact_versions() -> None:
    """A pin in a user's requirements breaks their environment; a missing one in ours breaks a build next month."""
    users = lines("requirements.txt")
    assert [line for line in users if not re.fullmatch(r"[\w.-]+>=[\d.]+", line)] == []
    for wanted, pinned in (("requirements", "requirements"), ("requirements-2.16", "requirements-2.16")):
        pins = lines(f"tests/{pinned}.txt")
        assert [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
        assert names(lines(f"tests/{wanted}.in")) <= names(pins)
        assert names(users) <= names(pins)


def lines(path: str) -> list[str]:
    """Requirements of a file."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def names(requirements: list[str]) -> set[str]:
    """Names of distributions, as the package index compares them."""
    return {re.split(r"[=<>~]", line)[0].lower().replace("_", "-") for line in requirements}


def test_nothing_of_a_contributors_machine_is_in_the_tree() -> None:
    """Absolute paths of the place where something was written work nowhere else."""
    assert found(MACHINE_PATH) == []


def test_nothing_is_left_for_later() -> None:
    """What is not done is not in the tree; what should be done is in an issue."""
    assert found(UNFINISHED) == []


def test_nothing_is_ignored() -> None:
    """Sanity and lint judge the whole collection: their ignore files are empty or absent."""
    ignores = [ROOT / ".ansible-lint-ignore", *(ROOT / "tests" / "sanity").glob("ignore-*.txt")]
    assert [path.name for path in ignores if path.exists() and path.read_text(encoding="utf-8").strip()] == []


def refusals() -> Iterator[str]:
    """Sentences with which something is refused, with dots for what differs from cluster to cluster."""
    for name in REFUSING:
        tree = ast.parse((ROOT / "plugins/module_utils/istio" / f"{name}.py").read_text(encoding="utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if any(keyword.arg == "hint" for keyword in call.keywords):
                said = call.args[0]
                parts = said.values if isinstance(said, ast.JoinedStr) else [said]
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)


def test_every_refusal_of_clusters_is_explained() -> None:
    """Whoever meets one looks for its words in the table."""
    lines = (ROOT / "docs/multicluster.md").read_text(encoding="utf-8").splitlines()
    explained = [line.split("|")[1] for line in lines if line.startswith("|")]
    said = [*refusals(), *REASONS]
    assert len(said) > 12
    assert [words for words in said if not any(words in one for one in explained)] == []
