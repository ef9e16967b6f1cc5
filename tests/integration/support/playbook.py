"""Real `ansible-playbook` processes, run in a home and a temporary folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .bed import ROOT

PROGRAM = Path(sys.executable).parent / "ansible-playbook"
_PLUGINS = Path(__file__).parent / "plugins"
_OURS = ("K8S_AUTH_", "KUBECONFIG", "ANSIBLE_", "KUBERNETES_")


@dataclass(frozen=True)
class Result:
    """One task's result on one host."""

    task: str
    host: str
    status: str
    data: dict[str, Any]

    @property
    def changed(self) -> bool:
        return bool(self.data.get("changed"))

    @property
    def plan(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.data["plan"]
        return found


@dataclass(frozen=True)
class Played:
    """A playbook that has ended: what a person saw, and the results."""

    rc: int
    output: str
    results: tuple[Result, ...]

    @property
    def last(self) -> Result:
        return self.results[-1]


@dataclass(frozen=True)
class Runner:
    """Runs playbooks from a folder, which is also their HOME and holds their TMPDIR."""

    folder: Path
    connection: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    # A command that runs another one, for example in a network namespace.
    within: Sequence[str] = ()

    def run(
        self,
        *tasks: Mapping[str, Any],
        arguments: Sequence[str] = (),
        play: Mapping[str, Any] | None = None,
        hosts: int = 1,
        env: Mapping[str, str] | None = None,
    ) -> Played:
        """Run tasks; `connection` is the default of all our modules, by their action group."""
        process = self.start(*tasks, arguments=arguments, play=play, hosts=hosts, env=env)
        output, _ = process.communicate()
        return Played(process.returncode, output, tuple(self.recorded()))

    def start(
        self,
        *tasks: Mapping[str, Any],
        arguments: Sequence[str] = (),
        play: Mapping[str, Any] | None = None,
        hosts: int = 1,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """The process itself, for a test that wants to disturb it."""
        self._write(tasks, play or {}, hosts)
        self._record.unlink(missing_ok=True)
        return subprocess.Popen(
            [*self.within, str(PROGRAM), "-i", "inventory.yml", "playbook.yml", *arguments],
            cwd=self.folder,
            env={**self._environment(), **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def recorded(self) -> Iterator[Result]:
        for line in self._record.read_text(encoding="utf-8").splitlines() if self._record.exists() else []:
            entry = json.loads(line)
            yield Result(entry["task"], entry["host"], entry["status"], entry["result"])

    @property
    def _record(self) -> Path:
        return self.folder / "results.jsonl"

    def _write(self, tasks: Sequence[Mapping[str, Any]], play: Mapping[str, Any], hosts: int) -> None:
        defaults = {"group/service_mesh.istio.all": dict(self.connection)}
        head = {"name": "Test", "hosts": "all", "gather_facts": False, "module_defaults": defaults}
        (self.folder / "tmp").mkdir(exist_ok=True)
        self._dump("playbook.yml", [{**head, **play, "tasks": [dict(task) for task in tasks]}])
        facts = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        self._dump("inventory.yml", {"all": {"hosts": {f"host{number}": facts for number in range(hosts)}}})

    def _dump(self, name: str, content: Any) -> None:
        (self.folder / name).write_text(yaml.dump(content, sort_keys=False), encoding="utf-8")

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return {
            **inherited,
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "LC_ALL": "C.UTF-8",
            # Ansible takes `~` of a module for the user's real home, whatever HOME says.
            "ANSIBLE_ASYNC_DIR": str(self.folder / "async"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "remote"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv" / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            "ANSIBLE_RETRY_FILES_ENABLED": "0",
            **{
                f"ANSIBLE_{kind.upper()}_PLUGINS": str(_PLUGINS / kind) for kind in ("callback", "connection", "become")
            },
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "RECORDER_FILE": str(self._record),
            **self.environment,
        }
