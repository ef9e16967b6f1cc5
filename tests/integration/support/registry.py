"""A real registry of OCI artifacts, for charts that are pulled with credentials over TLS."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from . import bed
from .bed import Cluster
from .servers import free_port, serving_certificate

USER, PASSWORD = "reader", "password"
# That password, as bcrypt keeps it.
LINE = f"{USER}:$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu\n"


@dataclass(frozen=True)
class Registry:
    """Where charts are put, and what a user of it has in the environment: the CA, and who has logged in."""

    cluster: Cluster
    folder: Path
    port: int

    @property
    def charts(self) -> str:
        return f"oci://localhost:{self.port}/istio/charts"

    @property
    def environment(self) -> Mapping[str, str]:
        return {"SSL_CERT_FILE": self.cluster.ca_file, "HELM_REGISTRY_CONFIG": str(self.folder / "logins.json")}

    def helm(self, *arguments: str) -> None:
        argv = (str(self.cluster.bin / "helm"), *arguments)
        done = subprocess.run(argv, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def log_in(self) -> None:
        self.helm("registry", "login", f"localhost:{self.port}", "--username", USER, "--password", PASSWORD)

    def log_out(self) -> None:
        self.helm("registry", "logout", f"localhost:{self.port}")

    def push(self, *archives: Path) -> None:
        for archive in archives:
            self.helm("push", str(archive), self.charts)


@contextmanager
def registry(cluster: Cluster, folder: Path) -> Iterator[Registry]:
    """Empty at first, and gone with the block. It keeps its artifacts in the folder."""
    made = Registry(cluster, folder, free_port())
    certificate = str(serving_certificate(cluster, folder))
    (folder / "users").write_text(LINE, encoding="utf-8")
    configuration = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "artifacts")}},
        "auth": {"htpasswd": {"realm": "charts", "path": str(folder / "users")}},
        "http": {"addr": f"localhost:{made.port}", "tls": {"certificate": certificate, "key": certificate}},
    }
    file = folder / "registry.yml"
    file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    program = bed.parts("registry")["registry"] / "bin" / "registry"
    with (folder / "registry.log").open("wb") as log:
        quiet = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}  # by default it looks for somebody to tell
        process = subprocess.Popen([str(program), "serve", str(file)], stdout=log, stderr=log, env=quiet)
    try:
        _await(process, made.port)
        yield made
    finally:
        process.kill()
        process.wait()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as tried:
            if tried.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the registry does not start")
