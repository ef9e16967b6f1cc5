"""A program: asks a name server for an address until it answers or time is up. Arguments: server, name, seconds."""

from __future__ import annotations

import socket
import struct
import sys
import time

ADDRESS_RECORD, INTERNET = 1, 1
RECURSION_DESIRED = 0x0100
ANSWER_COUNT = slice(6, 8)


def question(name: str) -> bytes:
    """RFC 1035, 4.1: a header with one question, and the question."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return (
        struct.pack("!6H", 1, RECURSION_DESIRED, 1, 0, 0, 0)
        + labels
        + b"\0"
        + struct.pack("!2H", ADDRESS_RECORD, INTERNET)
    )


def answered(server: str, name: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.2)
        try:
            asker.sendto(question(name), (server, 53))
            return int.from_bytes(asker.recv(512)[ANSWER_COUNT], "big") > 0
        except OSError:
            return False


def main(server: str, name: str, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answered(server, name):
            return 0
        time.sleep(0.1)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
