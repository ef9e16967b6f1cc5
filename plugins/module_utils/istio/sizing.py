# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How large an istiod has to be for a mesh of so many services and Pods.

Source: the capacity page of the product whose features we serve gives the
figures of the three smaller sizes, and the names of all five. The two largest
are ours: they continue its steps towards the eight cores and more that Istio's
own page on performance and scalability names for meshes of that size.
"""

from __future__ import annotations

from collections.abc import Mapping

Resources = Mapping[str, Mapping[str, str]]


def _resources(cpu: str, memory: str, most_cpu: str, most_memory: str) -> Resources:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": most_cpu, "memory": most_memory}}


# S is the number of services, P the number of Pods.
SIZES: Mapping[str, Resources] = {
    "S50P200": _resources("200m", "200Mi", "1500m", "1500Mi"),
    "S200P1000": _resources("400m", "500Mi", "2000m", "2000Mi"),
    "S500P2000": _resources("600m", "800Mi", "3000m", "3000Mi"),
    "S2000P8000": _resources("1200m", "2400Mi", "4000m", "6000Mi"),
    "S5000P20000": _resources("2400m", "6000Mi", "8000m", "12000Mi"),
}
