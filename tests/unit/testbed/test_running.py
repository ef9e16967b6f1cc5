"""What runs: addresses, command lines, certificates, processes and their end."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import stat
import sys
import threading
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
import tomllib
from testbed import addresses, api_lane, components, dns, forward, network, node, pki, processes
from testbed.addresses import NAMES, Plan, plans
from testbed.components import Settings
from testbed.errors import BedError
from testbed.layout import Bed
from testbed.processes import Child

SETTINGS = Settings("127.0.0.1", 6443, "127.0.0.1", "10.96.0.0/16")


def test_no_two_clusters_share_an_address() -> None:
    everyone = plans(len(NAMES))
    for first, second in combinations(everyone, 2):
        assert not ipaddress.ip_network(first.pods).overlaps(ipaddress.ip_network(second.pods))
        assert not ipaddress.ip_network(first.services).overlaps(ipaddress.ip_network(second.services))
    hosts = [address for plan in everyone for address in (plan.node, plan.gateway)]
    assert len({*hosts, addresses.SWITCH}) == 2 * len(everyone) + 1


@pytest.mark.parametrize("plan", plans(len(NAMES)), ids=lambda plan: plan.name)
def test_addresses_lie_in_their_networks(plan: Plan) -> None:
    pods, services = ipaddress.ip_network(plan.pods), ipaddress.ip_network(plan.services)
    assert ipaddress.ip_address(plan.first_pod) in pods
    assert ipaddress.ip_address(plan.api) == next(services.hosts())
    assert ipaddress.ip_address(plan.dns) in services
    assert pods.num_addresses - 12 >= node.MAX_PODS
    assert len(plan.name) <= 15, "it is the name of an interface, too"


@pytest.mark.parametrize("count", [0, len(NAMES) + 1])
def test_too_few_and_too_many_clusters_are_refused(count: int) -> None:
    with pytest.raises(BedError, match=f"between 1 and {len(NAMES)}, not {count}"):
        plans(count)


def test_nothing_of_the_api_lane_listens_beyond_loopback() -> None:
    apiserver = components.apiserver(Path("bin"), SETTINGS)
    assert "--bind-address=127.0.0.1" in apiserver
    assert "--secure-port=0" in components.controller_manager(Path("bin"), SETTINGS)
    etcd = [flag.partition("=")[2] for flag in components.etcd(Path("bin")) if "-urls=" in flag]
    assert etcd
    assert all(url.startswith("unix://") for url in etcd)


def test_the_api_lane_runs_no_controller_that_needs_a_node() -> None:
    settings = Settings("127.0.0.1", 1, "127.0.0.1", "10.96.0.0/16", controllers=components.NODELESS_CONTROLLERS)
    (flag,) = [
        item for item in components.controller_manager(Path("bin"), settings) if item.startswith("--controllers=")
    ]
    assert "*" not in flag
    assert "deployment" not in flag
    assert "namespace-controller" in flag


def test_separate_networks_drop_both_directions_and_hide_pods_behind_their_node() -> None:
    east, west = plans(2)
    rules = network.separate_rules(east, [west])
    assert f"-A POSTROUTING -s {east.pods} -o lan0 -j MASQUERADE" in rules
    assert [f"-A FORWARD {side} {west.pods} -j DROP" in rules for side in ("-s", "-d")] == [True, True]


def test_sections_become_toml() -> None:
    sections = {"": {"version": 2, "list": ["a"]}, 'plugins."a.b".c': {"on": True, "path": '/with "quotes"'}}
    assert tomllib.loads(node.toml(sections)) == {
        "version": 2,
        "list": ["a"],
        "plugins": {"a.b": {"c": {"on": True, "path": '/with "quotes"'}}},
    }


def test_certificates_serve_their_addresses_and_keys_are_private(tmp_path: Path) -> None:
    """A real handshake: the client trusts the authority and asks by address."""
    folder = tmp_path / "pki"
    pki.make(folder, ["127.0.0.1"], [pki.ADMIN])
    private = [path for path in folder.iterdir() if path.suffix in (".key", ".token", ".csv")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "apiserver.crt", folder / "apiserver.key")
    server.load_verify_locations(folder / "ca.crt")
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    client.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        names: list[object] = []
        thread = threading.Thread(target=lambda: names.append(accept(listener, server)))
        thread.start()
        with (
            socket.create_connection(listener.getsockname()) as raw,
            client.wrap_socket(raw, server_hostname="127.0.0.1"),
        ):
            thread.join(5)
    assert names == [{"organizationName": "system:masters", "commonName": "admin"}]


def accept(listener: socket.socket, context: ssl.SSLContext) -> dict[str, str]:
    connection, _ = listener.accept()
    with context.wrap_socket(connection, server_side=True) as secured:
        certificate = secured.getpeercert()
        assert certificate is not None
        return {str(part[0][0]): str(part[0][1]) for part in certificate["subject"]}


@pytest.fixture
def mark() -> Iterator[str]:
    """A mark of this test only, and the end of what it starts."""
    name = f"unit-{os.getpid()}-{time.monotonic_ns()}"
    yield name
    processes.kill_marked(name)


def begin(tmp_path: Path, mark: str, *argv: str) -> Child:
    return processes.start("component", list(argv), mark=mark, log=tmp_path / "log", folder=tmp_path)


def test_a_process_is_known_by_its_mark_and_its_children_too(tmp_path: Path, mark: str) -> None:
    begin(tmp_path, mark, "sh", "-c", "sleep 60 & sleep 60")
    processes.wait_until(lambda: len(list(processes.marked(mark))) == 3, "three processes", 5)
    assert processes.components(mark) == ["component"]
    assert processes.components(mark[:-1]) == []
    processes.kill_marked(mark)
    assert list(processes.marked(mark)) == []


def test_a_process_that_does_not_belong_is_not_killed(tmp_path: Path, mark: str) -> None:
    child = begin(tmp_path, mark, "sleep", "60")
    processes.kill_one(child.process.pid, lambda _: False)
    assert child.process.poll() is None


def test_a_component_that_ends_early_is_reported_with_its_log(tmp_path: Path, mark: str) -> None:
    child = begin(tmp_path, mark, "sh", "-c", "echo no such flag; exit 2")
    with pytest.raises(BedError, match=r"(?s)component ended with 2.*no such flag"):
        processes.wait_until(lambda: False, "never", 5, [child])


def test_waiting_ends_with_the_logs(tmp_path: Path, mark: str) -> None:
    child = begin(tmp_path, mark, "sh", "-c", "echo still trying; exec sleep 60")
    with pytest.raises(BedError, match=r"(?s)the thing: not after 0 s.*still trying"):
        processes.wait_until(lambda: False, "the thing", 0.3, [child])


def test_the_forwarder_passes_both_directions_and_the_end(tmp_path: Path, mark: str) -> None:
    """The program itself between a client and a server that answers only when the client has ended its half."""
    with socket.create_server(("127.0.0.1", 0)) as target, socket.create_server(("127.0.0.1", 0)) as entry:
        server = threading.Thread(target=lambda: answer_after_end(target))
        server.start()
        argv = [sys.executable, str(forward.PROGRAM), str(entry.fileno()), "127.0.0.1", str(target.getsockname()[1])]
        processes.start("forward", argv, mark=mark, log=tmp_path / "log", folder=tmp_path, pass_fds=[entry.fileno()])
        with socket.create_connection(entry.getsockname(), timeout=10) as client:
            client.sendall(b"x" * 1_000_000)
            client.shutdown(socket.SHUT_WR)
            assert client.makefile("rb").read() == b"1000000"
        server.join(5)


def answer_after_end(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        size = len(connection.makefile("rb").read())
        connection.sendall(str(size).encode())


def test_a_name_server_without_an_answer_is_given_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        assert dns.main("127.0.0.1", "kubernetes.default", 0.3) == 1


def test_a_question_names_each_label_with_its_length() -> None:
    assert dns.question("a.bc.")[12:] == b"\x01a\x02bc\x00\x00\x01\x00\x01"


def test_free_ports_are_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", api_lane.free_port()))


def test_a_bed_has_its_files_below_its_own_folder(tmp_path: Path) -> None:
    cluster = Bed(tmp_path, "one").cluster("cluster", "east")
    for path in (cluster.kubeconfig, cluster.audit_log, cluster.token_file, cluster.netns, cluster.log("etcd")):
        assert path.is_relative_to(tmp_path / "run" / "one")
    assert cluster.mark == "one/cluster/east"
