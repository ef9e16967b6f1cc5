"""Requests to the demo's mesh until a file appears, and what came of them: `python -m support.visitors FILE`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from .bed import cluster
from .traffic import await_answers, under_traffic

SHOP = ("-host", "shop.example.com", "http://ingress.istio-ingress.svc.cluster.local")
CLIENTS = {"demo-outside": SHOP, "demo": ("http://shop.demo.svc.cluster.local",)}


def main(file: Path) -> None:
    """Ask until then, and print the answers as JSON."""
    demo = cluster("cluster")
    await_answers(demo, CLIENTS)
    with under_traffic(demo, CLIENTS) as seen:
        while not file.exists():
            time.sleep(0.1)
    print(json.dumps({"answered": seen.statuses["200"], "failed": seen.failed, "lines": seen.lines}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
