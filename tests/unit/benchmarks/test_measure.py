"""Measuring one process: what counts as having run, whose memory is counted, what is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.measure import Command, DidNotRunError, Laboratory, family, proportional_bytes
from benchmarks.rows import KUBECTL, Row
from integration.support.audit import Audit

ROW = Row("fresh", KUBECTL)
HOARD = "import time; hoard = bytearray(64 << 20); time.sleep(0.5)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOARD!r}])"
# What an API server writes; the process of these tests asks for nothing, it adds to the log.
WRITE: dict[str, Any] = {
    "stage": "ResponseComplete",
    "verb": "patch",
    "userAgent": "kubectl/v1",
    "requestURI": "/apis/x",
    "objectRef": {"resource": "gateways", "name": "a"},
    "responseStatus": {"code": 200},
}


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    log = tmp_path / "audit.log"
    log.write_text(json.dumps(WRITE) + "\n", encoding="utf-8")
    return Laboratory(tmp_path, {"PATH": ""}, Audit(log))


def python(code: str, **proof: Any) -> Command:
    return Command(ROW, (sys.executable, "-c", code), "kubectl", **proof)


def logged(event: dict[str, Any]) -> str:
    return f"open('audit.log', 'a').write({json.dumps(event) + chr(10)!r})"


def test_only_what_was_asked_meanwhile_by_that_tool_is_counted(laboratory: Laboratory) -> None:
    read, other = {**WRITE, "verb": "get"}, {**WRITE, "userAgent": "curl"}
    sample = laboratory.measure(python("; ".join(map(logged, (WRITE, read, other)))))
    assert (sample.requests, sample.writes) == (2, 1)
    assert sample.megabytes is None


def test_memory_is_that_of_all_descendants(laboratory: Laboratory) -> None:
    sample = laboratory.measure(python(PARENT, sampled=True))
    assert sample.megabytes is not None
    assert 64 < sample.megabytes < 160


def test_what_the_server_works_meanwhile_is_told_apart(tmp_path: Path) -> None:
    """Who runs in the folder of the log is the server; the measured process is not, wherever it runs."""
    elsewhere = Laboratory(tmp_path, {"PATH": ""}, Audit(tmp_path / "server" / "audit.log"))
    elsewhere.audit.path.parent.mkdir()
    elsewhere.audit.path.touch()
    busy = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(busy, cwd=tmp_path / "server") as server:
        sample = elsewhere.measure(python("import time; time.sleep(1)"))
        server.kill()
    assert 0.3 < sample.server_seconds < 1.5
    assert sample.cpu_seconds < 0.3
    assert elsewhere.measure(python("pass")).server_seconds == 0


def test_time_of_children_counts_as_work(laboratory: Laboratory) -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    sample = laboratory.measure(python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"))
    assert sample.cpu_seconds >= 0.3
    assert sample.seconds >= 0.3


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (python("print('why'); raise SystemExit(3)"), "exit code 3 instead of 0"),
        (python("print('same same')", says=("same", 3)), "says 'same' 2 times instead of 3"),
        (python("pass", least_writes=5), "0 writes instead of at least 5"),
    ],
)
def test_what_did_not_do_its_work_is_no_result(laboratory: Laboratory, command: Command, sentence: str) -> None:
    with pytest.raises(DidNotRunError, match=f"fresh: kubectl: .*{sentence}"):
        laboratory.measure(command)


def test_a_failure_carries_the_end_of_the_output(laboratory: Laboratory) -> None:
    with pytest.raises(DidNotRunError, match="no such cluster"):
        laboratory.measure(python("print('no such cluster'); raise SystemExit(1)"))


def test_the_exit_code_may_be_another_one(laboratory: Laboratory) -> None:
    assert laboratory.measure(python("raise SystemExit(1)", exit_code=1)).seconds > 0


def test_a_process_that_is_gone_has_no_memory_and_no_family() -> None:
    gone = 2**22 + 1
    assert proportional_bytes(gone) == 0
    assert family(gone) == [gone]
