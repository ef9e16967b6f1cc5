# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One cluster in the registry of another: registered, its token renewed, and taken out again.

Both sides are planned before the first of them is written. Everything goes on from what is there, so a run that was
killed anywhere is finished by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ..kube.client import Client, Object, remaining
from ..kube.connection import connect
from ..kube.errors import (
    CertificateRejected,
    ClientCertificateRejected,
    Failure,
    NoTls,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from ..kube.kubeconfig import ConnectionOptions
from ..kube.resources import DEPLOYMENT, NAMESPACE, SECRET, SERVICE_ACCOUNT
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired, Key
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Action
from ..reconcile.run import Run
from .components import version_of
from .facts import ISTIOD_SELECTOR
from .istiod_restart import await_restarted, due, mark, outdated
from .networks import is_loopback
from .reader import SLOTS, minted
from .registration import FAMILY, Registration, RemoteClusterError, shortened
from .remote_defects import defect_of
from .remote_registry import Registries
from .remote_secret import (
    SELECTOR,
    Address,
    Token,
    access_in,
    clusters_in,
    config_secret,
    interim_of,
    interim_secret,
    kubeconfig,
    remote_secret,
)

# The kubelet looks every 60 to 90 seconds whether a mounted Secret has changed, and client-go reads a file with a token
# anew every minute (k8s.io/client-go/transport/token_source.go).
_MOUNTED_SECONDS = 160.0
# In a plan, before there is a token: never written.
_PLACEHOLDER = "planned"


def run_register(
    primary: Run, remote: Run, wanted: Registration, clock: Callable[[], datetime] | None = None
) -> Outcome:
    """The remote has a reader, and the primary its token."""
    now = (clock or _now)()
    _refuse_same(primary.client, remote.client, wanted)
    address = _address(remote.client, wanted)
    known = list(primary.client.list_objects(SECRET, wanted.namespace, labels=SELECTOR))
    _refuse_second(primary.client, known, wanted)
    if not primary.check_mode:
        _refuse_without_account(remote.client, wanted)
    live = primary.client.get(SECRET, wanted.key.name, wanted.namespace)
    interim = next((found for found in known if found["metadata"]["name"] == wanted.interim_key.name), None)
    begun = _token_in(interim, interim_of(wanted.cluster))
    if begun and not _why_new(remote.client, replace(wanted, rotate=False), begun, now):
        return _Registering(primary, remote, wanted, address, live, interim, begun, "", True).run()
    token = _token_in(live, wanted.cluster)
    goes_on = _is_cut_off(remote.client, wanted, token)
    why = _why_new(remote.client, replace(wanted, rotate=wanted.rotate and not goes_on), token, now)
    return _Registering(primary, remote, wanted, address, live, interim, token, why, goes_on and not why).run()


@dataclass(frozen=True)
class _Way:
    """How the Secret gets other content: in place, unless `why` istiods do not take that up.

    Then it is deleted and created, or, where `istiods` are named, changed in place, and these are restarted, as far as
    their restart is not under way: `marked`.
    """

    why: str = ""
    istiods: Sequence[Object] = ()
    marked: Sequence[Object] = ()

    @property
    def recreates(self) -> bool:
        return bool(self.why) and not self.istiods


@dataclass
class _Registering:
    """One registration: what was found, and what is done about it.

    `why` is why a new token is needed; where a run was killed that had made one, `goes_on` with that.
    """

    primary: Run
    remote: Run
    wanted: Registration
    address: Address
    live: Object | None
    interim: Object | None
    token: Token | None
    why: str
    goes_on: bool = False

    def __post_init__(self) -> None:
        self.registries = Registries(self.primary, self.wanted.namespace, self.wanted.wait_timeout)

    def run(self) -> Outcome:
        slot = self._slot()
        old = [self.wanted.reader.slot(name) for name in SLOTS if name != slot]
        readers = self._readers(slot)
        text = _PLACEHOLDER if self.why else (self.token or Token("")).text
        in_remote = reconcile(_planning(self.remote), self.wanted.owner, readers, old)
        in_primary = reconcile(_planning(self.primary), self.wanted.owner, [self._secret(text)], self._left())
        way = self._way(in_primary)
        outcome = Outcome([*in_remote.actions, *(self._explained(action, way) for action in in_primary.actions)])
        restarts = mark(_planning(self.primary), way.marked).actions
        outcome.actions += [replace(action, reason=way.why) for action in restarts]
        outcome.warnings += self._probed() if outcome.changed else []
        outcome.warnings += self._forgets() if way.recreates else []
        outcome.warnings += self._kept() if self.goes_on and self.wanted.rotate else []
        if outcome.changed and not self.primary.check_mode:
            self._write(slot, readers, old, way)
            outcome.warnings += [*self._unseen(), *(shortened(self.wanted, self.token) if self._reason else [])]
        outcome.extra = self._told()
        return outcome

    @property
    def _reason(self) -> str:
        return "a renewal that was cut off is finished" if self.goes_on else self.why

    def _slot(self) -> str:
        """Where the token is bound to; a new one takes the turn of the other."""
        current = self.wanted.reader.slot_of(self.token)
        if not self.why:
            return current
        return next(name for name in SLOTS if name != current)

    def _readers(self, slot: str) -> list[Desired]:
        place = self.wanted.remote_namespace
        there = self.remote.client.get(NAMESPACE, place)
        missing = [] if there else [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}}]
        return [Desired(content) for content in (*missing, *self.wanted.reader.objects(slot))]

    def _left(self) -> list[Key]:
        """What a run that was killed has left."""
        return [self.wanted.interim_key] if self.interim else []

    def _secret(self, token: str) -> Desired:
        made = config_secret if self.wanted.config_account else remote_secret
        content = made(self.wanted.cluster, self.wanted.namespace, self.address, token)
        return Desired(content, f"cluster {self.wanted.cluster}")

    def _way(self, planned: Outcome) -> _Way:
        """A cluster that it serves is not forgotten: what its Pods listen to is in no other registry, by any name."""
        changes = any(name.startswith("data") for action in planned.actions for name in action.fields)
        if not self.live or self.wanted.config_account or not (changes or self.wanted.serves):
            return _Way()
        defects = [(found, defect) for found in self._istiods() if (defect := defect_of(version_of(found)))]
        why = min((defect.told(version_of(found)) for found, defect in defects), default="")
        if not self.wanted.serves or not all(defect.keeps for _found, defect in defects):
            return _Way(why) if changes else _Way()
        istiods = [found for found, _defect in defects]
        if changes:
            return _Way(why, istiods, istiods)
        # A run that was cut off may have written it.
        istiods = outdated(self.primary.client, istiods, self.live)
        return _Way(why, istiods, due(istiods, self.live)) if istiods else _Way()

    def _forgets(self) -> list[str]:
        if not self.wanted.serves:
            return []
        return [
            f"the istiod on {self.wanted.primary} forgets for a moment what Pods of {self.wanted.cluster} listen to, "
            "and some requests to them may fail then (docs/multicluster.md, Renewing)"
        ]

    def _kept(self) -> list[str]:
        """Whoever asks for a new token may mean this one."""
        wanted, begins = self.wanted, (self.token or Token("")).begins
        return [
            f"{wanted.primary} keeps the token of {begins:%Y-%m-%d %H:%M} UTC for {wanted.cluster}: a run that was cut "
            "off had made it, and its renewal is finished now. If that token shall go, too, run this once more"
        ]

    def _explained(self, action: Action, way: _Way) -> Action:
        how = ""
        if way.recreates:
            meanwhile = f"istiod reads it by Secret {self.wanted.interim_key.name} meanwhile"
            how = f"deleted and created: {way.why}; {meanwhile}"
        why = "; ".join(part for part in (self._reason, how) if part)
        return replace(action, reason=why) if action.writes and why else action

    def _probed(self) -> list[str]:
        """Whether the address answers with the certificate that it must have, as far as can be seen from here."""
        try:
            self._client("").version()
        except NoTls as error:
            raise RemoteClusterError(
                f"{self.address.server} is no API server by which {self.wanted.primary} reads {self.wanted.cluster}",
                subject="server",
                reason=error.reason,
                hint=f"Correct 'server' (mesh_clusters_server of {self.wanted.cluster})",
            ) from error
        except (Unreachable, TimedOut) as error:
            return [
                f"{self.address.server} could not be reached from here ({error.reason}); whether "
                f"{self.wanted.primary} can is seen when its istiod reads it"
            ]
        except (Unauthorized, ClientCertificateRejected):
            return []  # it wants to know who asks, after its certificate has been verified
        except CertificateRejected as error:
            raise self._other(error) from error
        return []

    def _other(self, error: CertificateRejected) -> CertificateRejected:
        """Not a fault of the task's own connections."""
        cluster, server = self.wanted.cluster, self.address.server
        return CertificateRejected(
            f"{server}, by which {self.wanted.primary} would read {cluster}, does not prove that it is {cluster}",
            subject="server",
            reason=error.reason,
            hint=f"Correct 'server' (mesh_clusters_server of {cluster}), which may lead to another cluster; or give "
            "'server_ca' (mesh_clusters_server_ca), where another CA has signed what answers there",
        )

    def _client(self, token: str) -> Client:
        """The cluster as istiod will reach it."""
        content = kubeconfig(self.wanted.cluster, self.address, {"token": token})
        return Client(connect(ConnectionOptions(kubeconfig=content, request_timeout=5.0)))

    def _write(self, slot: str, readers: Sequence[Desired], old: Sequence[Key], way: _Way) -> None:
        owner = self.wanted.owner
        if self.why:
            # A token that a run which was cut off has bound to one of them would live on beside the new one.
            kept = self.wanted.reader.slot_of(self.token)
            reconcile(self.remote, owner, [], [self.wanted.reader.slot(name) for name in SLOTS if name != kept])
        reconcile(self.remote, owner, readers)
        if self.why:
            self.remote.before_write()
            seconds = int(self.wanted.lifetime.total_seconds())
            self.token = Token.of(minted(self.remote.client, self.wanted.reader, slot, seconds))
        token = self.token or Token("")
        with _hidden(token.text):
            self._require_same(token.text)
            if way.recreates:
                self._make_room(token.text)
            elif self.interim and not self.live:
                self.registries.await_forgotten(self.wanted.cluster)
            reconcile(self.primary, owner, [self._secret(token.text)])
        self._await_taken_up(old, way)
        reconcile(self.primary, owner, [], [self.wanted.interim_key] if way.recreates else self._left())
        reconcile(self.remote, owner, [], old)

    def _make_room(self, token: str) -> None:
        """The Secret goes, and no endpoint with it: istiod reads the cluster by another name until it is back."""
        wanted, name = self.wanted, interim_of(self.wanted.cluster)
        content = interim_secret(wanted.cluster, wanted.namespace, self.address, token)
        # One that leads nowhere any more, or elsewhere: it cannot be changed in place any better than the other.
        if self.interim and (not self.goes_on or self.interim.get("data") != content["data"]):
            reconcile(self.primary, wanted.owner, [], [wanted.interim_key])
            self.registries.await_forgotten(name)
        reconcile(self.primary, wanted.owner, [Desired(content, f"cluster {wanted.cluster}")])
        self.registries.await_read(name)
        reconcile(self.primary, wanted.owner, [], [wanted.key])
        # istiod looks at a Secret, not at what has happened to it: deleted and created at once is changed in place.
        self.registries.await_forgotten(wanted.cluster)

    def _await_taken_up(self, old: Sequence[Key], way: _Way) -> None:
        """Until then the old token is what istiod has."""
        used = any(self.remote.client.get(SECRET, key.name, key.namespace) for key in old)
        if self.wanted.config_account:
            if used and self._istiods():
                self._await_mounted()
        elif used or way.why or self.interim:
            self._restart(way.istiods)
            self.registries.await_read(self.wanted.cluster, anew=not way.why)

    def _restart(self, istiods: Sequence[Object]) -> None:
        """By what is there now: somebody who renews another token may have restarted them meanwhile."""
        if istiods:
            run, names = self.primary, [istiod["metadata"]["name"] for istiod in istiods]
            secret = run.client.get(SECRET, self.wanted.key.name, self.wanted.namespace) or {"metadata": {}}
            mark(run, due([found for found in self._istiods() if found["metadata"]["name"] in names], secret))
            await_restarted(run, istiods, self.wanted.wait_timeout)

    def _unseen(self) -> list[str]:
        why = self.registries.unseen
        seen = f"whether the istiod on {self.wanted.primary} reads {self.wanted.cluster} by its new token was not seen"
        return [f"{seen}: {why}"] if why else []

    def _await_mounted(self) -> None:
        """A mounted Secret comes to its Pods in time."""
        until = time.monotonic() + _MOUNTED_SECONDS
        self.primary.progress(f"the istiod on {self.wanted.primary} takes up its new token in {_MOUNTED_SECONDS:.0f} s")
        while remaining(until):
            self.primary.before_write()
            time.sleep(1)

    def _istiods(self) -> list[Object]:
        return list(self.primary.client.list_objects(DEPLOYMENT, self.wanted.namespace, labels=ISTIOD_SELECTOR))

    def _require_same(self, token: str) -> None:
        """The token leads, by the address that istiod will take, to the cluster that was meant."""
        try:
            there = _uid(self._client(token))
        except (Unreachable, TimedOut):
            return  # told already
        except Unauthorized as error:
            raise self._another(f"it does not take the token that {self.wanted.cluster} has just made") from error
        if there != _uid(self.remote.client):
            raise self._another("the uid of its namespace kube-system is another one")

    def _another(self, why: str) -> RemoteClusterError:
        cluster = self.wanted.cluster
        return RemoteClusterError(
            f"{self.address.server} is another cluster than {cluster}",
            subject="server",
            reason=why,
            hint=f"Correct 'server' (mesh_clusters_server of {cluster}). The account and the token that were made for "
            "this in the right one are used by the next run",
        )

    def _told(self) -> dict[str, Any]:
        token = self.token
        planned = bool(self.why) and self.primary.check_mode
        ends = token.ends if token and not planned else None
        return {
            "cluster": self.wanted.cluster,
            "primary": self.wanted.primary,
            "server": self.address.server,
            "token_ends": ends.isoformat() if ends else "",
            "renewed": self._reason,
            "left": [],
        }


def run_unregister(primary: Run | None, remote: Run | None, wanted: Registration) -> Outcome:
    """The primary forgets the cluster first, so that nothing is sent there any more; then its reader goes.

    One of them is None when it is gone for good.
    Source of the order: an istiod whose account is gone logs errors for ever and keeps stale endpoints.
    """
    secrets = [wanted.key]
    if primary:
        _refuse_strangers(primary.client, wanted.key, wanted)
        if remote:
            _refuse_same(primary.client, remote.client, wanted)
        secrets += [wanted.interim_key]
    sides = ((primary, wanted.primary, secrets), (remote, wanted.cluster, wanted.reader.keys()))
    asked = [(run, keys) for run, _name, keys in sides if run]
    planned = [reconcile(_planning(run), wanted.owner, [], keys) for run, keys in asked]
    for run, keys in asked:
        if not run.check_mode:
            reconcile(run, wanted.owner, [], keys)
    left = [(name, str(key)) for run, name, keys in sides if run is None for key in keys]
    outcome = Outcome([action for done in planned for action in done.actions])
    outcome.warnings += [f"{name} was not asked, and may still have {key}" for name, key in left[:1]]
    told = {"cluster": wanted.cluster, "primary": wanted.primary, "server": "", "token_ends": "", "renewed": ""}
    outcome.extra = {**told, "left": [key for _name, key in left]}
    return outcome


def _planning(run: Run) -> Run:
    """The same run, as far as planning goes."""
    return replace(run, check_mode=True)


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def _uid(client: Client) -> str:
    """What tells clusters apart, whatever they are called."""
    found = client.get(NAMESPACE, "kube-system")
    return str(found["metadata"]["uid"]) if found else ""


def _refuse_same(primary: Client, remote: Client, wanted: Registration) -> None:
    if _uid(primary) == _uid(remote):
        raise RemoteClusterError(
            f"{wanted.primary} and {wanted.cluster} are the same cluster",
            subject=wanted.cluster,
            reason=f"{primary.name} ({primary.connection.url}) and {remote.name} ({remote.connection.url}) have the "
            "same namespace kube-system, by its uid",
            hint="Correct the connection of one of them",
        )


def _token_in(secret: Object | None, cluster: str) -> Token | None:
    return access_in(secret, cluster)[1] if secret else None


def _refuse_second(primary: Client, known: Sequence[Object], wanted: Registration) -> None:
    """istiod ignores a cluster that it knows from another Secret already."""
    for found in known:
        name = found["metadata"]["name"]
        if name != wanted.key.name and wanted.cluster in clusters_in(found):
            raise RemoteClusterError(
                f"{wanted.primary} reads {wanted.cluster} already",
                subject=f"Secret {wanted.namespace}/{name}",
                reason=f"the Secret {wanted.namespace}/{name} on {primary.name} gives access to it, and istiod would "
                f"ignore {wanted.key.name}",
                hint="Delete that Secret first",
            )


def _refuse_without_account(remote: Client, wanted: Registration) -> None:
    """The account with which an external istiod works is the charts'."""
    account, place = wanted.config_account, wanted.remote_namespace
    if account and not remote.get(SERVICE_ACCOUNT, account, place):
        raise RemoteClusterError(
            f"{wanted.cluster} has no ServiceAccount {place}/{account} that its external control plane could work with",
            subject=f"ServiceAccount {place}/{account}",
            reason="it comes with what control_plane installs in a remote cluster",
            hint="Install that there first (control_plane with 'remote'; the playbook mesh does it)",
        )


def _refuse_strangers(primary: Client, key: Key, wanted: Registration) -> None:
    found = primary.get(SECRET, key.name, key.namespace)
    managers = {
        str(entry.get("manager")) for entry in (found or {"metadata": {}})["metadata"].get("managedFields") or []
    }
    if not managers or any(name.startswith(FAMILY) for name in managers) or managers & {*wanted.take_ownership_from}:
        return
    raise RemoteClusterError(
        f"{key} is not ours",
        subject=str(key),
        reason=f"{', '.join(sorted(managers))} made it on {primary.name}",
        hint=f"Say take_ownership_from: [{sorted(managers)[0]}] to remove it all the same",
    )


def _address(remote: Client, wanted: Registration) -> Address:
    """Where istiod shall reach the cluster. What the kubeconfig says may be good for this machine alone."""
    connection = remote.connection
    server, authority = wanted.server or connection.url, wanted.server_ca or connection.authority
    if not wanted.server and is_loopback(server):
        raise RemoteClusterError(
            f"{wanted.primary} cannot reach {wanted.cluster} at {server}",
            subject="server",
            reason="that is this machine itself, and from the Pod of an istiod it is that Pod",
            hint="Give 'server', an address of the API server that the other clusters can reach",
        )
    if not server.startswith("https://"):
        raise RemoteClusterError(
            f"'{server}' is not the URL of an API server that {wanted.primary} could verify",
            subject="server",
            reason="it does not begin with https://",
            hint="Write 'server' (mesh_clusters_server) like https://203.0.113.7:6443",
        )
    if not authority:
        raise RemoteClusterError(
            f"Nothing would verify that {server} is {wanted.cluster}",
            subject="server_ca",
            reason="its certificate authority is not known: the connection is not verified, or has no CA of its own",
            hint="Give 'server_ca', the text of the CA certificate of the API server (PEM)",
        )
    name = "" if wanted.server else connection.access.server_name
    return Address(server, authority, name)


def _is_cut_off(remote: Client, wanted: Registration, token: Token | None) -> bool:
    """Whether a run made the token and did not come to revoke the one before, whose Secret is then the older one.

    A younger one was made for a token that the primary never got. Source: creationTimestamp, which tells seconds.
    """
    current = wanted.reader.slot_of(token)
    keys = [wanted.reader.slot(name) for name in (current, *(name for name in SLOTS if name != current)) if current]
    found = [secret for key in keys if (secret := remote.get(SECRET, key.name, key.namespace))]
    made = [str(secret["metadata"]["creationTimestamp"]) for secret in found]
    return len(made) == len(SLOTS) and made[1] <= made[0]


def _why_new(remote: Client, wanted: Registration, token: Token | None, now: datetime) -> str:
    """Why a new token is needed; empty while the one that is there is good."""
    if token is None or not wanted.reader.slot_of(token):
        return "it has no token of ours yet"
    if wanted.rotate:
        return "a new token was asked for"
    if token.bound_to("serviceaccount")[0] != wanted.reader.account:
        return "its token is of another account"
    ends = token.ends
    if ends is None or ends - now < (ends - token.begins) * wanted.renew_below:
        return f"its token ends on {ends:%Y-%m-%d %H:%M} UTC" if ends else "its token never ends"
    for what, resource in (("secret", SECRET), ("serviceaccount", SERVICE_ACCOUNT)):
        name, uid = token.bound_to(what)
        found = remote.get(resource, name, wanted.remote_namespace)
        if not found or found["metadata"]["uid"] != uid:
            return f"{wanted.cluster} does not accept its token any more"
    return ""


@contextmanager
def _hidden(token: str) -> Iterator[None]:
    """Servers and libraries quote what they were given."""
    try:
        yield
    except Failure as error:
        error.hide([token])
        raise
