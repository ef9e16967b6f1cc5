"""The kinds under test: a minimal row each, and rows that together give every first-level option a value."""

from __future__ import annotations

from . import cases_proxies, cases_security, cases_traffic, cases_workloads

CASES = (*cases_traffic.CASES, *cases_workloads.CASES, *cases_security.CASES, *cases_proxies.CASES)
