# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One GET of a page that is not the API server's: Prometheus, or what a gate asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

try:
    import urllib3
except ImportError:  # connect() says which library is missing
    pass

_LONGEST = 300


@dataclass(frozen=True)
class Access:
    """As whom, and how an address is asked."""

    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    ca_cert: str = ""
    validate_certs: bool = True
    timeout: float = 10.0

    def headers(self) -> Mapping[str, str]:
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.username:
            return dict(urllib3.make_headers(basic_auth=f"{self.username}:{self.password}"))
        return {}

    def secrets(self) -> set[str]:
        return {text for text in (self.token, self.password) if text}


@dataclass(frozen=True)
class Answer:
    """A status and a text; the status is 0 and the text says why when nobody has answered."""

    status: int
    text: str

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def excerpt(self) -> str:
        return " ".join(self.text.split())[:_LONGEST]


def shown(url: str) -> str:
    """An address without what may be secret: who asks, and with which parameters."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def secrets_of(url: str) -> set[str]:
    """What `shown` leaves out."""
    parts = urlsplit(url)
    return {text for text in (parts.netloc.rpartition("@")[0], parts.password or "", parts.query) if text}


def ask(url: str, access: Access, query: Mapping[str, str] | None = None) -> Answer:
    """Ask once. A reset is tried again: a gate shall not close because of one packet."""
    pool = urllib3.PoolManager(
        ca_certs=access.ca_cert or None, cert_reqs="CERT_REQUIRED" if access.validate_certs else "CERT_NONE"
    )
    try:
        found = pool.request(
            "GET",
            url,
            fields=dict(query or {}) or None,
            headers={**access.headers()},
            timeout=urllib3.Timeout(total=access.timeout),
            retries=urllib3.Retry(connect=1, read=1, redirect=2, status=0, backoff_factor=0.2),
        )
        return Answer(found.status, found.data.decode("utf-8", "replace"))
    except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
        return Answer(0, str(getattr(error, "reason", None) or error))
    finally:
        pool.clear()
