"""A program: passes connections that arrive on an inherited socket on to an address.

The socket was bound on the host's loopback and is inherited; the program itself runs in a cluster's network namespace.
So the host reaches the cluster without an interface, a route or a rule of its own. Arguments: the socket's descriptor,
host, port.
"""

from __future__ import annotations

import asyncio
import socket
import sys

BLOCK = 1 << 16


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until its end; the other may go on."""
    try:
        while block := await reader.read(BLOCK):
            writer.write(block)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def serve(descriptor: int, host: str, port: int) -> None:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, target_writer), copy(target_reader, writer))
        writer.close()
        target_writer.close()

    server = await asyncio.start_server(accepted, sock=socket.socket(fileno=descriptor))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
