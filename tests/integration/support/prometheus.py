"""A real Prometheus on loopback, and a small exporter whose numbers a test says."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import urllib3
import yaml

from . import bed
from .servers import free_port


@dataclass
class Metrics:
    """What is measured, and where it is asked for."""

    url: str
    values: dict[str, float] = field(default_factory=dict)

    def say(self, **values: float) -> None:
        """New numbers; returns when Prometheus has them."""
        self.values.update(values)
        deadline = time.monotonic() + 60
        while any(self.value(name) != str(value) for name, value in values.items()):
            assert time.monotonic() < deadline, "Prometheus has not scraped the exporter"
            time.sleep(0.05)

    def value(self, query: str) -> str:
        """Of a query, nothing where there is no data."""
        answer = urllib3.request("GET", f"{self.url}/api/v1/query", fields={"query": query}).json()
        found: list[Mapping[str, list[str]]] = answer["data"]["result"]
        return str(float(found[0]["value"][1])) if found else ""


@contextmanager
def prometheus(folder: Path, **others: str) -> Iterator[Metrics]:
    """Scrapes the exporter, and others by their jobs' names, every second.

    More often a busy machine would not answer in time, and lose data.
    """
    port = free_port()
    metrics = Metrics(f"http://127.0.0.1:{port}")
    with _exporter(metrics) as exporter:
        config = folder / "prometheus.yml"
        config.write_text(_config({"application": f"127.0.0.1:{exporter}", **others}), encoding="utf-8")
        program = bed.parts("prometheus")["prometheus"] / "prometheus"
        listen = f"--web.listen-address=127.0.0.1:{port}"
        argv = [str(program), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", listen]
        with (folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            _await(metrics.url)
            yield metrics
        finally:
            process.kill()
            process.wait()


def _config(targets: Mapping[str, str]) -> str:
    jobs = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()]
    every_second = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    return yaml.safe_dump({"global": every_second, "scrape_configs": jobs})


@contextmanager
def _exporter(metrics: Metrics) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lines = [f"{name} {value}\n" for name, value in metrics.values.items()]
            self.send_response(200)
            self.end_headers()
            self.wfile.write("".join(lines).encode())

        def log_message(self, *_arguments: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _await(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if urllib3.request("GET", f"{url}/-/ready", retries=False, timeout=1).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        assert time.monotonic() < deadline, "Prometheus does not start"
        time.sleep(0.1)
