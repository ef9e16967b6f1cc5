"""Privilege escalation to oneself: it needs no root and no program, and a task with it takes the way of `become`."""

from __future__ import annotations

from ansible.plugins.become import BecomeBase

DOCUMENTATION = """
    name: oneself
    short_description: Become who one is
    description: Become who one is.
    options:
      become_user: {default: root, type: str, description: Not asked for.}
      become_exe: {default: '', type: str, description: Not asked for.}
      become_flags: {default: '', type: str, description: Not asked for.}
      become_pass: {default: '', type: str, description: Not asked for.}
"""


class BecomeModule(BecomeBase):  # type: ignore[misc]
    """Runs a command as it is."""

    name = "oneself"

    def build_become_command(self, cmd: str, shell: object) -> str:
        """The command, with the mark that says it has been started."""
        super().build_become_command(cmd, shell)
        return str(cmd)
