# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who shall read whom, as asked for, and what can be said against it without asking a server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from ..kube.errors import Failure
from ..kube.resources import SECRET
from ..reconcile.objects import Key
from ..reconcile.plan import Owner
from .facts import KEYED_LISTS, MANAGER_PREFIX, ROOT_NAMESPACE
from .reader import Reader
from .remote_secret import CONFIG_SECRET, INTERIM, RENEW_BELOW, Token, interim_of, name_of

FAMILY = f"{MANAGER_PREFIX}remote_cluster"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class RemoteClusterError(Failure):
    """A cluster cannot be registered as asked, or taken out."""

    code = "remote_cluster"


@dataclass(frozen=True)
class Registration:
    """Who shall read whom: `primary` is the name of the reading cluster, `cluster` of the one that is read."""

    cluster: str
    primary: str
    namespace: str = ROOT_NAMESPACE
    remote_namespace: str = ROOT_NAMESPACE
    server: str = ""
    server_ca: str = ""
    lifetime: timedelta = timedelta(days=90)
    renew_below: float = RENEW_BELOW
    rotate: bool = False
    serves: bool = False
    config_account: str = ""
    wait_timeout: float = 60.0
    take_ownership_from: tuple[str, ...] = ()

    @property
    def reader(self) -> Reader:
        return Reader(self.primary, self.remote_namespace, self.serves, self.config_account)

    @property
    def key(self) -> Key:
        """The Secret in the primary."""
        return self._key(CONFIG_SECRET if self.config_account else name_of(self.cluster))

    @property
    def interim_key(self) -> Key:
        """The Secret by which istiod reads the cluster while that one is not there."""
        return self._key(name_of(interim_of(self.cluster)))

    def _key(self, name: str) -> Key:
        return Key(SECRET.api_version, SECRET.kind, self.namespace, name)

    @property
    def owner(self) -> Owner:
        return Owner(f"{FAMILY}/{self.primary}", self.take_ownership_from, keyed_lists=KEYED_LISTS)


def shortened(wanted: Registration, token: Token | None) -> list[str]:
    """What to do where a token ends before the time that was asked for.

    Source: kube-apiserver, --service-account-max-token-expiration, which shortens what is asked. A run renews in the
    last part of a life alone, so two runs may not lie further apart than that part is long.
    """
    if token is None or token.ends is None or token.ends - token.begins >= wanted.lifetime:
        return []
    lives = token.ends - token.begins
    often = _roughly(lives * wanted.renew_below)
    return [
        f"{wanted.cluster} gives {wanted.primary} a token for {_roughly(lives)}, and {_roughly(wanted.lifetime)} were "
        "asked for: its API server allows no more (--service-account-max-token-expiration). Run this (playbook "
        f"register) at least every {often}, or {wanted.primary} cannot read {wanted.cluster} after "
        f"{token.ends:%Y-%m-%d %H:%M} UTC and goes on with endpoints that get old; or let it allow more"
    ]


def _roughly(span: timedelta) -> str:
    """Whole hours, or minutes where there are few; never more than it is."""
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} hours" if minutes >= 120 else f"{minutes} minutes"


def misnamed(name: str, *, is_read: bool) -> str:
    """Why a cluster that is read, or that reads others, cannot have a name; empty if it can."""
    if not _LABEL.fullmatch(name):
        return (
            "it becomes a part of names of objects: at most 63 lower-case letters, digits and dashes, with a letter or "
            "digit at both ends"
        )
    if is_read and name.endswith(INTERIM):
        return f"while a token is renewed, istiod reads {name.removesuffix(INTERIM)} by that name"
    return ""


def checked(wanted: Registration) -> Registration:
    """The same, if it can ever be right. Raises RemoteClusterError."""
    for what, name in (("cluster_name", wanted.cluster), ("primary", wanted.primary)):
        if why := misnamed(name, is_read=what == "cluster_name"):
            raise RemoteClusterError(
                f"'{name}' cannot be the name of a cluster that others read",
                subject=what,
                reason=why,
                hint=f"Correct '{what}'; it has to be the cluster name that its control plane was installed with",
            )
    if wanted.cluster == wanted.primary:
        raise RemoteClusterError(
            f"{wanted.cluster} cannot be remote to itself", subject="cluster_name", hint="Name two different clusters"
        )
    if wanted.lifetime < timedelta(minutes=10):
        raise RemoteClusterError(
            "The token would live too short", subject="token_lifetime", hint="Kubernetes makes none for less than 600 s"
        )
    return wanted
