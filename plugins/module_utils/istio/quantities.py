# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quantities of Kubernetes as numbers: 500m, 2Gi, 1e3.

Source: Kubernetes, apimachinery resource.Quantity.
"""

from __future__ import annotations

from decimal import Decimal

_SUFFIXES = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
}


def quantity(text: object) -> Decimal:
    """The number that a quantity stands for; the API server has checked that it is one."""
    word = str(text)
    suffix = next((suffix for suffix in _SUFFIXES if word.endswith(suffix)), "")
    return Decimal(word.removesuffix(suffix)) * _SUFFIXES.get(suffix, Decimal(1))
