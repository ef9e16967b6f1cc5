"""How the clusters of a lane are wired: each node by one pair of interfaces to the switch, a namespace with a bridge.

flat: Pods of all clusters reach each other. separate: only nodes do, and Pods leave their cluster under the node's
address.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import namespaces
from .addresses import SWITCH, Plan
from .namespaces import Namespaces

FLAT, SEPARATE = "flat", "separate"


def make_switch(space: Namespaces) -> None:
    configure(space, ["link set lo up", "link add br0 type bridge", f"addr add {SWITCH}/24 dev br0", "link set br0 up"])


def join(space: Namespaces, switch: Namespaces, plan: Plan) -> None:
    """The pair is made in the two namespaces at once: the host's own never sees it."""
    configure(
        switch,
        [
            f"link add {plan.name} type veth peer name lan0 netns {space.net}",
            f"link set {plan.name} master br0 up",
        ],
    )
    configure(
        space,
        [
            "link set lo up",
            f"addr add {plan.node}/24 dev lan0",
            f"addr add {plan.gateway}/32 dev lan0",
            "link set lan0 up",
            f"route add unreachable {plan.pods}",
            f"route add default via {SWITCH} dev lan0",
        ],
    )
    namespaces.run(space, ["sh", "-ec", "echo 1 > /proc/sys/net/ipv4/ip_forward"])


def connect(space: Namespaces, plan: Plan, others: Sequence[Plan], network: str) -> None:
    """What this cluster's Pods reach of the others."""
    if network == FLAT:
        configure(space, [f"route add {other.pods} via {other.node} dev lan0" for other in others])
    else:
        rules = "".join(f"{rule}\n" for rule in separate_rules(plan, others))
        namespaces.run(space, ["iptables-restore", "--noflush"], rules)


def separate_rules(plan: Plan, others: Sequence[Plan]) -> list[str]:
    drops = [f"-A FORWARD {side} {other.pods} -j DROP" for other in others for side in ("-s", "-d")]
    return ["*nat", f"-A POSTROUTING -s {plan.pods} -o lan0 -j MASQUERADE", "COMMIT", "*filter", *drops, "COMMIT"]


def configure(space: Namespaces, lines: Sequence[str]) -> None:
    namespaces.run(space, ["ip", "-batch", "-"], "".join(f"{line}\n" for line in lines))
