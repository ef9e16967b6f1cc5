"""The proxy before a small server: faithful where no rule strikes, and each fault as its client sees it."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
import yaml
from faults import FAULTS, Proxy, Rule
from unit.faults.conftest import EVENTS, Target

PATH = "/api/v1/namespaces/web/pods/one"
WATCH = "/api/v1/namespaces/web/pods?watch=true"


def test_passes_on_everything(target: Target, proxy: Proxy) -> None:
    headers = {"X-One": "1", "Content-Type": "application/apply-patch+yaml"}
    answer = target.pool().request("PATCH", f"{proxy.url}{PATH}?a=b", headers=headers, body=b'{"a": 1}')
    assert answer.json() == {"path": f"{PATH}?a=b", "body": '{"a": 1}', "headers": {"X-One": "1"}}
    assert answer.headers["Warning"] == '299 - "told by the server"'
    assert [(entry.asked.verb, entry.what, entry.status) for entry in proxy.log] == [("apply", "", 200)]


def test_passes_on_chunks_of_both_sides(target: Target, proxy: Proxy) -> None:
    pieces = (b"x" * 40_000 for _ in range(5))
    echoed = target.pool().request("POST", f"{proxy.url}/echo", body=pieces).json()
    assert len(echoed["body"]) == 200_000
    assert target.pool().request("GET", f"{proxy.url}/large").data == b"x" * 1_000_000


def test_keeps_one_connection_alive(target: Target, proxy: Proxy) -> None:
    pool = target.pool()
    for _ in range(20):
        pool.request("GET", f"{proxy.url}{PATH}")
    assert (len(target.echo.seen), target.echo.connections) == (20, 1)


def test_serves_many_connections_at_once(target: Target, proxy: Proxy) -> None:
    pool = target.pool()

    def ask(number: int) -> bool:
        return bool(pool.request("GET", f"{proxy.url}/{number}").json()["path"] == f"/{number}")

    with ThreadPoolExecutor(30) as threads:
        assert all(threads.map(ask, range(600)))
    assert len(proxy.log) == 600


def test_outlives_a_server_that_closes_idle_connections(target: Target, proxy: Proxy) -> None:
    target.echo.closes = True
    pool = target.pool()
    for _ in range(3):
        assert pool.request("GET", f"{proxy.url}{PATH}").status == 200
        time.sleep(0.05)


def test_streams_each_event_when_it_comes(target: Target, proxy: Proxy) -> None:
    answer = target.pool().request("GET", f"{proxy.url}{WATCH}", preload_content=False)
    stream = answer.stream()
    for event in EVENTS:
        target.echo.next_event.release()
        assert next(stream) == event
    assert list(stream) == []


def test_tells_the_server_when_a_watcher_leaves(target: Target, proxy: Proxy) -> None:
    answer = target.pool().request("GET", f"{proxy.url}{WATCH}", preload_content=False)
    target.echo.next_event.release()
    next(answer.stream())
    answer.close()
    deadline = time.monotonic() + 10
    while not target.echo.left.is_set() and time.monotonic() < deadline:
        target.echo.next_event.release()
        time.sleep(0.02)
    assert target.echo.left.is_set()


def said(status: int, **headers: str) -> Callable[[urllib3.BaseHTTPResponse], Any]:
    """A whole answer of this status; if it is JSON, it is a Status object that says the same."""

    def look(answer: urllib3.BaseHTTPResponse) -> Any:
        assert answer.status == status
        assert {name: answer.headers.get(name) for name in headers} == headers
        if "json" in answer.headers["Content-Type"]:
            assert (answer.json()["kind"], answer.json()["code"]) == ("Status", status)
        else:
            assert answer.data.startswith(b"<html>")

    return look


def half(answer: urllib3.BaseHTTPResponse) -> None:
    assert answer.status == 200
    assert answer.data.startswith(b'{"path"')
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def whole(answer: urllib3.BaseHTTPResponse) -> None:
    assert answer.json()["path"] == PATH


def gone_event(answer: urllib3.BaseHTTPResponse) -> None:
    event = answer.json()
    assert (answer.status, event["type"], event["object"]["code"]) == (200, "ERROR", 410)


BROKEN = urllib3.exceptions.ProtocolError
# What a client sees: an answer to look at, or an error; and whether the server was asked.
SEEN: dict[str, tuple[Callable[[urllib3.BaseHTTPResponse], Any] | type[Exception], bool]] = {
    "429": (said(429), False),
    "429_retry_after": (said(429, **{"Retry-After": "1"}), False),
    "500": (said(500), False),
    "502_html": (said(502), False),
    "503": (said(503), False),
    "503_retry_after": (said(503, **{"Retry-After": "1"}), False),
    "504": (said(504), False),
    "409": (said(409), False),
    "410": (said(410), False),
    "200_html": (said(200), False),
    "404_html": (said(404), False),
    "reset_before": (BROKEN, False),
    "reset_after": (BROKEN, True),
    "500_after": (said(500), True),
    "502_html_after": (said(502), True),
    "504_after": (said(504), True),
    "truncated": (half, True),
    "broken_off": (BROKEN, True),
    "late": (whole, True),
    "watch_cut": (BROKEN, True),
    "watch_expired": (gone_event, False),
}
REQUESTS = {"list": ("GET", "/api/v1/pods"), "watch": ("GET", WATCH), "delete": ("DELETE", PATH), "get": ("GET", PATH)}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(target: Target, proxy: Proxy, name: str) -> None:
    expected, asked = SEEN[name]
    method, path = next(REQUESTS[verb] for verb in ("get", "delete", "list", "watch") if verb in FAULTS[name].verbs)
    proxy.play([Rule(FAULTS[name], nth={1})])
    target.echo.next_event.release()
    pool = target.pool()
    if isinstance(expected, type):
        with pytest.raises(expected):
            pool.request(method, proxy.url + path)
    else:
        expected(pool.request(method, proxy.url + path))
    assert (bool(target.echo.seen), [entry.status for entry in proxy.injected]) == (asked, [200 if asked else 0])
    whole(pool.request("GET", proxy.url + PATH))


def test_late_is_late(target: Target, proxy: Proxy) -> None:
    proxy.play([Rule(FAULTS["late"])])
    start = time.monotonic()
    target.pool().request("GET", proxy.url + PATH)
    assert 0.1 <= time.monotonic() - start < 0.5


def test_kubeconfig_names_the_proxy_and_the_token(target: Target, proxy: Proxy) -> None:
    with open(proxy.kubeconfig, encoding="utf-8") as file:
        content = yaml.safe_load(file)
    assert content["clusters"][0]["cluster"] == {"server": proxy.url, "certificate-authority": target.ca_file}
    assert content["users"][0]["user"] == {"token": target.token}


def test_leaves_nothing_behind(target: Target) -> None:
    before = threading.active_count()
    with Proxy(target) as proxy:
        answer = target.pool().request("GET", f"{proxy.url}{WATCH}", preload_content=False)
    with pytest.raises(urllib3.exceptions.HTTPError):
        answer.read()
    target.echo.next_event.release(5)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_starts_at_once(target: Target) -> None:
    """Whatever else the machine does meanwhile: the best of ten."""

    def started() -> float:
        start = time.monotonic()
        with Proxy(target):
            return time.monotonic() - start

    assert min(started() for _ in range(10)) < 0.1


def test_costs_less_than_a_millisecond(target: Target, proxy: Proxy) -> None:
    pool = target.pool()

    def median(url: str) -> float:
        times = []
        for _ in range(200):
            start = time.perf_counter()
            pool.request("GET", url + PATH)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    assert median(proxy.url) - median(target.server) < 0.001
