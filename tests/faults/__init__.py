"""A proxy between the engine and an API server that makes faults on purpose: which, when and how often is data.

with Proxy(cluster, [Rule(FAULTS["reset_after"], verb="apply", nth={3})]) as proxy:
    ...  # proxy.kubeconfig leads to the cluster; proxy.log says what was asked and what was done to it
"""

from __future__ import annotations

from .catalogue import FAULTS, PASSING
from .proxy import Proxy
from .rules import Asked, Entry, Rule

__all__ = ["FAULTS", "PASSING", "Asked", "Entry", "Proxy", "Rule"]
