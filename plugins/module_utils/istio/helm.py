# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The helm program: found, new enough, run without leaving anything behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..kube.errors import Failure

_SECONDS = 120
# The first version that pulls charts from OCI registries without being told that this is an experiment.
_OLDEST = (3, 8)
_VERSION = re.compile(r"v?(\d+)\.(\d+)\b")  # one that was built from source may name no patch


class HelmError(Failure):
    """The helm program is missing, too old, or refused."""

    code = "helm"


class HelmRefused(HelmError):
    """The program ran and said no."""


@dataclass(frozen=True)
class Helm:
    """A helm program by name or path; what it caches stays in a scratch folder."""

    name: str
    scratch: Path

    def run(self, arguments: Sequence[str], stdin: str = "") -> str:
        """What it prints. Values go in by standard input: arguments are seen by everybody on the machine."""
        self._judge_version()
        return self._output(arguments, stdin)

    def _judge_version(self) -> None:
        match = _VERSION.search(self._version)
        found = (int(match[1]), int(match[2])) if match else (0, 0)
        if found < _OLDEST:
            raise HelmError(
                f"The program '{self.name}' is too old or is not helm",
                subject=self.name,
                reason=f"it calls its version '{self._version[:40]}', and 3.8 or newer is needed",
                hint="Install a newer helm on the controller, or set 'helm_binary' to the path of one",
            )

    @cached_property
    def _version(self) -> str:
        return self._output(["version", "--short"]).strip()

    def _output(self, arguments: Sequence[str], stdin: str = "") -> str:
        try:
            result = subprocess.run(
                [self._program, *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                env={**os.environ, **self._homes()},
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HelmError(f"helm {arguments[0]} did not run", reason=str(error)) from error
        if result.returncode:
            raise HelmRefused(
                f"helm {arguments[0]} failed",
                reason=_last_lines(result.stderr),
                hint="Correct the values, the version or the chart",
            )
        return result.stdout

    @property
    def _program(self) -> str:
        program = shutil.which(os.path.expanduser(self.name))
        if program is None:
            raise HelmError(
                f"The program '{self.name}' is not found",
                hint="Install helm 3.8 or newer on the controller, or set 'helm_binary' to its path",
            )
        return program

    def _homes(self) -> dict[str, str]:
        """Everything in the scratch folder but what `helm registry login` has left for its user."""
        config = os.environ.get("HELM_CONFIG_HOME") or os.path.join(
            os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "helm"
        )
        logins = os.environ.get("HELM_REGISTRY_CONFIG") or os.path.join(config, "registry", "config.json")
        homes = {
            f"HELM_{name}_HOME": str(self.scratch / f"helm-{name.lower()}") for name in ("CACHE", "CONFIG", "DATA")
        }
        return {**homes, "HELM_REGISTRY_CONFIG": logins}


def _last_lines(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line and not line.startswith("WARNING")]
    return " ".join(lines[-4:])
