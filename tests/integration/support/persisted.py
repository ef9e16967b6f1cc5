"""What this collection has persisted in the bed's cluster: for scenarios, which are playbooks.

Without an argument it prints where the audit log ends now; with that number, every change since. A cluster that is not
the bed's keeps no audit log for us: then it prints nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .audit import Audit
from .bed import cluster


def main(arguments: list[str]) -> None:
    log = cluster("cluster").audit_log
    if not log:
        return
    audit = Audit(Path(log))
    print("\n".join(audit.persisted(int(arguments[0]))) if arguments else audit.mark())


if __name__ == "__main__":
    main(sys.argv[1:])
