# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the istiods of a cluster say of the clusters that they read, asked of each that is ready.

One that is not ready yet reads every cluster before it is, so it does not count.

Source: pilot/pkg/xds/debug.go, /debug/clusterz; the command is that of istiod's own image (pilot/cmd/pilot-discovery).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..kube.client import Client, Object, remaining
from ..kube.errors import ApiError, Forbidden, NotFound, Unauthorized
from ..kube.exec import CommandFailed
from ..kube.pods import is_ready
from ..kube.resources import DEPLOYMENT, POD
from ..kube.wait import NotReady
from ..reconcile.parallel import each
from ..reconcile.run import Run
from .facts import ISTIOD_SELECTOR

_CONTAINER = "discovery"
_ASK = ("pilot-discovery", "request", "GET", "/debug/clusterz")
_ASKED_SECONDS = 20.0
_SYNCED = "synced"
# Within this a watch has brought a change; before, an istiod may still tell how it was.
_HEARD_SECONDS = 1.0
# What an istiod that may not be asked is given to read a cluster, or to forget it.
_BLIND_SECONDS = 5.0
_PAUSE = 0.1
_MUTE = "it cannot be asked: "


def states_in(client: Client, namespace: str, cluster: str) -> dict[str, str]:
    """How a cluster stands with each istiod, by the name of its Pod; empty where it does not know that cluster.

    Where there should be Pods and none is ready, the Deployment says so: what they read when they start is not sure.
    """
    pods = [pod for pod in client.list_objects(POD, namespace, labels=ISTIOD_SELECTOR) if is_ready(pod)]
    if not pods:
        planes = client.list_objects(DEPLOYMENT, namespace, labels=ISTIOD_SELECTOR)
        wanted = [found for found in planes if found["spec"].get("replicas", 1)]
        return {str(found["metadata"]["name"]): "none of its Pods is ready" for found in wanted}
    told = each(lambda pod: (str(pod["metadata"]["name"]), _state(client, cluster, pod)), pods)
    return {name: state for name, state in told if state is not None}


def _state(client: Client, cluster: str, pod: Object) -> str | None:
    """None from a Pod that has gone meanwhile."""
    place = pod["metadata"]
    try:
        printed = client.execute(place["namespace"], place["name"], _CONTAINER, _ASK, _ASKED_SECONDS)
        rows = json.loads(printed)
        return next((str(row.get("syncStatus")) for row in rows if row.get("id") == cluster), "")
    except NotFound:
        return None
    except (Forbidden, Unauthorized):
        raise
    except (ApiError, CommandFailed) as error:
        return f"{_MUTE}{error.reason or error.what}"
    except (ValueError, AttributeError):
        return f"{_MUTE}it does not answer with a list of clusters"


@dataclass
class Registries:
    """Waits for the istiods of one primary; where they may not be asked it gives them a moment, and `unseen` is why."""

    run: Run
    namespace: str
    seconds: float
    unseen: str = field(default="", init=False)

    def await_read(self, cluster: str, *, anew: bool = False) -> None:
        """Until all read it; `anew` by a Secret that has changed in place, which they do not tell. Raises NotReady."""
        self._await(cluster, _SYNCED, "read", _HEARD_SECONDS if anew else 0.0)

    def await_forgotten(self, cluster: str) -> None:
        """Until none knows it. Raises NotReady."""
        self._await(cluster, "", "forget", 0.0)

    def _await(self, cluster: str, meant: str, verb: str, quiet: float) -> None:
        deadline, heard = time.monotonic() + self.seconds, time.monotonic() + quiet
        while not self.unseen:
            self.run.before_write()
            behind = {pod: state for pod, state in self._states(cluster).items() if state != meant}
            if not behind and not remaining(heard):
                break
            if not remaining(deadline):
                raise self._late(cluster, verb, behind)
            time.sleep(_PAUSE)
        if self.unseen:
            time.sleep(_BLIND_SECONDS)

    def _states(self, cluster: str) -> Mapping[str, str]:
        try:
            return states_in(self.run.client, self.namespace, cluster)
        except (Forbidden, Unauthorized) as error:
            self.unseen = error.reason or error.what
            return {}

    def _late(self, cluster: str, verb: str, behind: Mapping[str, str]) -> NotReady:
        said = "; ".join(f"{pod}: {state or 'it does not know it'}" for pod, state in sorted(behind.items()))
        is_mute = all(state.startswith(_MUTE) for state in behind.values())
        look = "whether a command can be run in its Pods" if is_mute else "whether they reach the address in the Secret"
        return NotReady(
            f"The istiod on {self.run.client.name} does not {verb} {cluster} after {self.seconds:g} s",
            subject=f"cluster {cluster}",
            reason=said,
            hint="The token of before is still good, and nothing is lost. Look at istiod's Pods and their log, and "
            f"{look}, then run this again: it goes on from here",
        )
