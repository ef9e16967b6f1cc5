"""The file of a mesh's root: who comes second gets the first one's, and a root that no file keeps is nobody's."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.issuing import BadAuthority, made_root
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.root_file import keep, stored_root

NOW = datetime(2026, 11, 28, 8, 0, tzinfo=timezone.utc)
ROOT, OTHER = (made_root("shop", 3650, NOW) for _ in range(2))


def test_who_comes_second_gets_the_root_of_the_first(tmp_path: Path) -> None:
    path = str(tmp_path / "roots" / "root.pem")
    assert stored_root(path) is None
    assert keep(ROOT, path).certificates == ROOT.certificates
    assert keep(OTHER, path).certificates == ROOT.certificates


def test_a_link_to_a_root_is_as_good_as_the_root(tmp_path: Path) -> None:
    (tmp_path / "shop.pem").symlink_to(tmp_path / "vault" / "root.pem")
    keep(ROOT, str(tmp_path / "vault" / "root.pem"))
    found = stored_root(str(tmp_path / "shop.pem"))
    assert found is not None
    assert found.certificates == ROOT.certificates


def test_a_disk_without_hard_links_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(_source: str, _name: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", link)
    with pytest.raises(BadAuthority, match=r"Operation not permitted.*hard links"):
        keep(ROOT, str(tmp_path / "root.pem"))
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("link", ["root.pem", "roots"], ids=["file", "folder"])
def test_a_link_that_leads_nowhere_is_refused(link: str, tmp_path: Path) -> None:
    (tmp_path / link).symlink_to(tmp_path / "vault")
    path = str(tmp_path / "root.pem" if link == "root.pem" else tmp_path / "roots" / "root.pem")
    with pytest.raises(BadAuthority, match=f"{tmp_path / link} is a link to {tmp_path}/vault, and nothing is there"):
        stored_root(path)
    with pytest.raises(BadAuthority):
        keep(ROOT, path)
    assert [one.name for one in tmp_path.iterdir()] == [link]
