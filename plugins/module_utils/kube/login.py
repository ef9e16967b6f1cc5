# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials from a program that a kubeconfig names (`aws eks get-token`, `kubelogin` and their like).

Source: Kubernetes, "client-go credential plugins": ExecCredential of client.authentication.k8s.io/v1 and v1beta1.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from .errors import ConnectionOptionsError, hidden

_LONGEST_WORDS = 300
_SHORTEST_SECRET = 8
# Seconds. Who waits for a person longer than that has to be run by hand before.
_LONGEST = 60.0
_EXTENSION = "client.authentication.k8s.io/exec"
# What `provideClusterInfo` tells a plugin of the cluster, in the words of the kubeconfig.
_OF_CLUSTER = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
_FRACTION = re.compile(r"\.\d+")


@dataclass(frozen=True)
class Login:
    """What a plugin has given: a token, or a certificate with its key, or both."""

    token: str = field(default="", repr=False)
    certificate: str = ""
    key: str = field(default="", repr=False)
    ends: datetime | None = None

    def ends_within(self, seconds: float) -> bool:
        return self.ends is not None and self.ends <= datetime.now(timezone.utc) + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Plugin:
    """One entry `exec` of a user, with the folder of its kubeconfig and the cluster that it is for."""

    spec: Mapping[str, Any] = field(repr=False)
    folder: str
    cluster: Mapping[str, Any] = field(repr=False)

    def log_in(self) -> Login:
        """Run the program, without a terminal. Raises ConnectionOptionsError."""
        if self.spec.get("interactiveMode") == "Always":
            raise self._failure("it wants to ask somebody (interactiveMode: Always), and here is nobody")
        status = self._status(self._printed())
        login = Login(
            str(status.get("token") or ""),
            str(status.get("clientCertificateData") or ""),
            str(status.get("clientKeyData") or ""),
            self._end(status.get("expirationTimestamp")),
        )
        if not login.token and not (login.certificate and login.key):
            raise self._failure("its answer has neither 'token' nor 'clientCertificateData' with 'clientKeyData'")
        return login

    def _printed(self) -> str:
        command = [str(self.spec["command"]), *map(str, self.spec.get("args") or ())]
        own = {str(item["name"]): str(item["value"]) for item in self.spec.get("env") or ()}
        environment = {**os.environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(self._question())}
        try:
            process = subprocess.Popen(
                command,
                cwd=self.folder or None,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,  # away from the terminal, on which it could ask all the same
            )
        except OSError as error:
            raise self._failure(str(error)) from error
        return self._answer_of(process)

    def _answer_of(self, process: subprocess.Popen[str]) -> str:
        with process:
            try:
                printed, said = process.communicate(timeout=_LONGEST)
            except BaseException as error:  # a task's own timeout and Ctrl-C as well: nobody else ends its session
                with suppress(OSError):  # macOS refuses where only a zombie is left
                    os.killpg(process.pid, signal.SIGKILL)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                said = (error.stderr or b"").decode(errors="replace")
                raise self._failure(f"no answer within {_LONGEST:g} s. {said}") from None
        if process.returncode:
            raise self._failure(f"it ended with {process.returncode}. {said}")
        return printed

    def _question(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"interactive": False}
        if self.spec.get("provideClusterInfo"):
            spec["cluster"] = self._told_of_cluster()
        return {"apiVersion": self.spec["apiVersion"], "kind": "ExecCredential", "spec": spec}

    def _told_of_cluster(self) -> dict[str, Any]:
        told = {name: self.cluster[name] for name in _OF_CLUSTER if name in self.cluster}
        authority = self.cluster.get("certificate-authority")
        if authority and "certificate-authority-data" not in told:
            told["certificate-authority-data"] = base64.b64encode(self._file(authority)).decode()
        extensions = {entry["name"]: entry["extension"] for entry in self.cluster.get("extensions") or ()}
        return {**told, **({"config": extensions[_EXTENSION]} if _EXTENSION in extensions else {})}

    def _file(self, name: str) -> bytes:
        try:
            return Path(self.folder, name).read_bytes()
        except OSError as error:
            raise self._failure(str(error)) from error

    def _status(self, printed: str) -> Mapping[str, Any]:
        """What it prints is never quoted: it may hold the token."""
        try:
            answer = json.loads(printed)
        except ValueError:
            raise self._failure("its answer is not JSON") from None
        status = answer.get("status") if isinstance(answer, dict) else None
        if not isinstance(status, dict):
            raise self._failure("its answer is no ExecCredential with a status")
        if answer.get("apiVersion") != self.spec["apiVersion"]:
            said = answer.get("apiVersion")
            raise self._failure(f"its answer is of {said}, and the kubeconfig asks for {self.spec['apiVersion']}")
        return status

    def _end(self, text: Any) -> datetime | None:
        """RFC 3339, with or without parts of a second; Python 3.10 reads neither those nor a 'Z'."""
        if not text:
            return None
        try:
            end = datetime.fromisoformat(_FRACTION.sub("", str(text)).replace("Z", "+00:00"))
        except ValueError:
            raise self._failure("its 'expirationTimestamp' is no time of RFC 3339") from None
        if end.year == 1:  # Go's way to say: never
            return None
        return end if end.tzinfo else end.replace(tzinfo=timezone.utc)

    def _failure(self, why: str) -> ConnectionOptionsError:
        hint = str(self.spec.get("installHint") or "").strip()
        run = "Run it by hand as the user that runs Ansible: it has to be on PATH there, and may need a login"
        return ConnectionOptionsError(
            f"The plugin '{self.spec['command']}' that the kubeconfig names gives no credentials",
            reason=_short(self._without_secrets(why)),
            hint=f"{run}. {_short(hint)}" if hint else run,
        )

    def _without_secrets(self, words: str) -> str:
        """What a plugin says may quote what it was given; a short text, such as the name of a profile, is no secret."""
        given = [str(item["value"]) for item in self.spec.get("env") or ()]
        return hidden(words, (value for value in given if len(value) >= _SHORTEST_SECRET))


def _short(words: str) -> str:
    return " ".join(words.split())[:_LONGEST_WORDS]
