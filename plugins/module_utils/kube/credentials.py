# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who we are, by the user of a kubeconfig: what it holds, a file of it, a program, or a provider.

Of several the first counts, in this order: provider, token, file with a token, program, name and password.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .access import Access, Pem
from .errors import ConnectionOptionsError, missing_library
from .login import Login, Plugin

_Entry = Mapping[str, Any]
# Seconds before its end from which on a login is renewed: clocks differ, and a plugin may take a minute. One that keeps
# its own until it ends is not asked for every request meanwhile.
_MARGIN = 120.0
_PAUSE = 10.0


def bearer(token: str) -> str:
    """The header's value. Raises ConnectionOptionsError for what cannot be sent: whoever tries would quote it."""
    if not _is_sendable(token):
        raise ConnectionOptionsError(
            "The token cannot be sent",
            reason="it has characters that no token has, such as a line break",
            hint="Correct 'api_key', or the token that the kubeconfig has or leads to",
        )
    return f"Bearer {token}"


def basic(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def pem_of(entry: _Entry, name: str, folder: str) -> Pem | None:
    """What is in the kubeconfig itself wins over a file, whose path is relative to the kubeconfig."""
    if data := entry.get(f"{name}-data"):
        try:
            return Pem(text=base64.b64decode(data).decode(errors="replace"))
        except (TypeError, ValueError):
            raise ValueError(f"'{name}-data' is not encoded with base64") from None
    return Pem(path=os.path.join(folder, entry[name])) if entry.get(name) else None


def take_user(access: Access, user: _Entry, folder: str, cluster: _Entry) -> None:
    """What a user of a kubeconfig has, without a provider. Raises ConnectionOptionsError for a plugin that fails."""
    access.acts_as, access.with_groups = _impersonated(user)
    access.certificate, access.key = (pem_of(user, name, folder) for name in ("client-certificate", "client-key"))
    if user.get("token"):
        access.authorization = always(bearer(str(user["token"]).strip()))
    elif user.get("tokenFile"):
        access.authorization = TokenFile(Path(folder, user["tokenFile"]))
    elif user.get("exec"):
        _take_login(access, Plugin(user["exec"], folder, cluster))
    elif user.get("username"):
        access.authorization = always(basic(user["username"], user.get("password") or ""))


def _impersonated(user: _Entry) -> tuple[str, tuple[str, ...]]:
    """Whom this user acts as. Raises ValueError for what is not known: he would act as himself, which was not meant."""
    name, groups = user.get("as") or "", user.get("as-groups") or []
    unknown = [key for key in ("as-uid", "as-user-extra") if user.get(key)]
    if unknown or (groups and not name):
        raise ValueError(f"its user has '{[*unknown, 'as-groups'][0]}', and only 'as' with 'as-groups' works")
    if not isinstance(groups, list) or not all(_is_sendable(str(text)) for text in (name, *groups)):
        raise ValueError("'as' or 'as-groups' of its user is no name, or no list of names")
    return str(name), tuple(map(str, groups))


def _is_sendable(text: str) -> bool:
    """Whether a header can hold a text."""
    return text.isascii() and text.isprintable()


def always(value: str) -> Callable[[], str]:
    return lambda: value


def _take_login(access: Access, plugin: Plugin) -> None:
    login = plugin.log_in()
    _take_certificate(access, login)
    access.authorization = LoggedIn(access, plugin, login, access.certificate)


def _take_certificate(access: Access, login: Login) -> None:
    if login.certificate and login.key:
        access.certificate, access.key = Pem(text=login.certificate), Pem(text=login.key)


@dataclass
class TokenFile:
    """A token that somebody else renews: what is rotated while a task waits would be refused."""

    path: Path
    seen: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self.seen = self._read()
        if not self.seen:
            raise ValueError(f"{self.path} has no token in it")

    def __call__(self) -> str:
        with suppress(OSError):  # in the middle of a rotation the token that we have is as good as any
            self.seen = self._read() or self.seen
        return bearer(self.seen)

    def _read(self) -> str:
        return self.path.read_text(encoding="utf-8", errors="replace").strip()


@dataclass
class LoggedIn:
    """What a plugin has given; it is asked again when that ends."""

    access: Access
    plugin: Plugin
    login: Login
    certificate: Pem | None
    asked: float = field(default_factory=time.monotonic)

    def __call__(self) -> str:
        if self.login.ends_within(_MARGIN):
            self._renew()
        return bearer(self.login.token) if self.login.token else ""

    def _renew(self) -> None:
        """Raises ConnectionOptionsError when what we have has ended; until then a plugin may fail, or give the same."""
        has_ended = self.login.ends_within(0)
        if not has_ended and time.monotonic() < self.asked + _PAUSE:
            return
        self.asked = time.monotonic()
        try:
            self.login = self.plugin.log_in()
        except ConnectionOptionsError:
            if has_ended:
                raise
            return
        if self.access.certificate == self.certificate:  # else an option has another one
            _take_certificate(self.access, self.login)
            self.certificate = self.access.certificate


def of_provider(source: str | _Entry, context: str, *, persist: bool) -> Callable[[], str]:
    """The token of an `auth-provider` (OpenID Connect), which the library `kubernetes` gets and renews.

    It is imported by who needs it alone: that takes longer than most tasks.
    """
    try:
        from kubernetes import config as library
        from kubernetes.client import Configuration
        from kubernetes.config import kube_config
    except ImportError as error:
        why = "the kubeconfig names an 'auth-provider', which it knows"
        raise missing_library("kubernetes", why) from error
    configuration = Configuration()
    try:
        if isinstance(source, str):
            library.load_kube_config(source, context, configuration, persist_config=persist)
        else:
            library.load_kube_config_from_dict(dict(source), context, configuration, persist_config=False)
    except Exception as error:  # it has no type for what its own libraries raise on the way to a provider
        # Its texts quote the user, and that is the credentials.
        raise _without_token(context, f"the library 'kubernetes' fails with {type(error).__name__}") from None
    finally:  # it writes key data to files that only its atexit hook removes, and a forked worker never runs that
        kube_config._cleanup_temp_files()

    def authorization() -> str:
        return str(configuration.auth_settings().get("BearerToken", {}).get("value") or "")

    if not authorization():
        raise _without_token(context, "it is none that the library 'kubernetes' knows, or what it holds has ended")
    return authorization


def _without_token(context: str, why: str) -> ConnectionOptionsError:
    return ConnectionOptionsError(
        f"The auth-provider of the kubeconfig gives no token for the context '{context}'",
        reason=why,
        hint="Log in anew, or name a program instead ('exec'), as clouds do since kubectl 1.26",
    )
