"""A connection to this machine that does not say so: what it is given to run takes the way of a remote host."""

from __future__ import annotations

from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
    name: elsewhere
    short_description: The local connection under another name
    description: The local connection under another name.
    options:
      pipelining: {default: false, type: bool, description: As for all connections.}
"""


class Connection(Local):  # type: ignore[misc]
    """Local in all but its name."""

    transport = "elsewhere"
