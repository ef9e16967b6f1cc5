"""Shows what the demo's mesh does with real traffic, and fails where that is not what was expected.

Each line of the table below is one experiment: who asks for what, and which answer is right. Requests are made by the
demo's own client Pods through `kubectl exec`, so that this works wherever kubectl reaches the cluster. `--json` prints
the same for programs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INSIDE, OUTSIDE = "demo", "demo-outside"
SERVICE = "http://shop.demo.svc.cluster.local"
GATEWAY = "http://ingress.istio-ingress.svc.cluster.local"
SHOP = ("-host", "shop.example.com")
ANY = (0.0, 1.0)

PODS_WITHIN = 120
# New routes and policies take a moment to reach every proxy, and idle connections answer once more under the old ones.
SETTLED_WITHIN = 30.0
PROBES = 20
PAUSE = 0.5
# How a connection ends that a proxy does not want. A name that does not resolve or a timeout is no refusal.
REFUSALS = ("connection reset by peer", "EOF")

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Experiment:
    """Requests of one client. Without a status, every connection has to be refused."""

    title: str
    client: str
    request: tuple[str, ...]
    count: int
    status: int | None = 200
    v2: tuple[float, float] = ANY
    caller: str = ""


EXPERIMENTS = (
    Experiment("a client in the mesh is known by name", INSIDE, (SERVICE,), 20, caller="/ns/demo/sa/default"),
    # The bounds are four standard deviations of 1000 draws.
    Experiment("a tenth of the visitors get v2", OUTSIDE, (*SHOP, GATEWAY), 1000, v2=(0.06, 0.14)),
    Experiment("testers (by a header) get v2", OUTSIDE, (*SHOP, "-H", "x-tester:yes", GATEWAY), 20, v2=(1.0, 1.0)),
    Experiment("plaintext from outside the mesh is refused", OUTSIDE, (SERVICE,), 20, status=None),
    Experiment("nobody gets at /admin by the gateway", OUTSIDE, (*SHOP, f"{GATEWAY}/admin"), 20, status=403),
    Experiment("nor from inside the mesh", INSIDE, (f"{SERVICE}/admin",), 20, status=403),
)


def kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl with the kubeconfig of the environment."""
    return subprocess.run(["kubectl", *arguments], capture_output=True, text=True, check=False)


def await_workloads() -> None:
    """Return when every Pod of the demo is available; say which is not when that takes too long."""
    for namespace in (INSIDE, OUTSIDE):
        condition = ("--for=condition=Available", f"--timeout={PODS_WITHIN}s")
        done = kubectl("wait", "deployment", "--all", f"--namespace={namespace}", *condition)
        if done.returncode:
            pods = kubectl("get", "pods", f"--namespace={namespace}").stdout
            sys.exit(f"The demo's Pods in {namespace} are not available:\n{done.stderr}{pods}")


def ask(experiment: Experiment, count: int) -> Answer:
    """What came back for so many requests."""
    client = ("exec", f"--namespace={experiment.client}", "deployment/client", "--container=client", "--")
    done = kubectl(*client, "httpapp", "get", "-json", "-n", str(count), *experiment.request)
    try:
        answer: Answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        sys.exit(f"The client in {experiment.client} cannot be used:\n{done.stderr}")
    return answer


def as_expected(experiment: Experiment, answer: Answer, v2: tuple[float, float]) -> bool:
    """Whether all requests, and in the right shares, ended as they should."""
    if experiment.status is None:
        return not answer["statuses"] and all(error.endswith(REFUSALS) for error in answer["errors"])
    all_answered = answer["statuses"] == {str(experiment.status): answer["count"]}
    return all_answered and v2[0] <= share(answer) <= v2[1] and caller(answer).endswith(experiment.caller)


def share(answer: Answer) -> float:
    """How much of it v2 answered."""
    return float(answer["versions"].get("v2", 0)) / int(answer["count"])


def caller(answer: Answer) -> str:
    """Whom the server's proxy saw, by the client's certificate; nobody where the server was not reached."""
    if not answer["body"].startswith("{"):
        return ""
    return str(json.loads(answer["body"]).get("xfcc", "")).rpartition("URI=")[2]


def run(experiment: Experiment) -> dict[str, Any]:
    """Wait until a few requests end as expected, then measure once."""
    # A share between bounds says nothing about a few requests; none and all do.
    settled = experiment.v2 if experiment.v2[0] == experiment.v2[1] else ANY
    deadline = time.monotonic() + SETTLED_WITHIN
    while not as_expected(experiment, ask(experiment, PROBES), settled) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    answer = ask(experiment, experiment.count)
    return {
        "title": experiment.title,
        "ok": as_expected(experiment, answer, experiment.v2),
        "expected": expected(experiment),
        "got": got(answer),
        "answer": {key: answer[key] for key in ("count", "statuses", "versions", "errors")},
        "caller": caller(answer),
    }


def expected(experiment: Experiment) -> str:
    """The right outcome in words."""
    if experiment.status is None:
        return "every connection refused"
    low, high = experiment.v2
    shares = {ANY: "", (low, low): f", {low:.0%} by v2"}.get(experiment.v2, f", {low:.0%} to {high:.0%} by v2")
    return f"{experiment.status}{shares}{', caller ...' + experiment.caller if experiment.caller else ''}"


def got(answer: Answer) -> str:
    """The outcome in words."""
    failed = sum(answer["errors"].values())
    statuses = [f"{number} x {status}" for status, number in sorted(answer["statuses"].items())]
    versions = [f"{number} by {version}" for version, number in sorted(answer["versions"].items()) if version]
    refused = [f"{failed} x {next(iter(answer['errors'])).rpartition(': ')[2]}"] if failed else []
    return ", ".join([*statuses, *versions, *refused])


def report(results: Sequence[Mapping[str, Any]]) -> str:
    """For people: what was tried, what was expected, what happened."""
    lines = [
        f"{'ok    ' if result['ok'] else 'FAILED'} {result['title']}\n"
        f"         expected {result['expected']}\n"
        f"         got      {result['got']}{', caller ' + result['caller'] if result['caller'] else ''}"
        for result in results
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run all experiments, failed ones included."""
    await_workloads()
    results = [run(experiment) for experiment in EXPERIMENTS]
    print(json.dumps(results, indent=2) if "--json" in arguments else report(results))
    return 0 if all(result["ok"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
