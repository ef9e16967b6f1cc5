# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the controller that `src` names: which they are, and their texts.

Searching and decrypting are Ansible's business and come as functions. What a
module on another host gets is the text, packed with the name that the user gave it.
"""

from __future__ import annotations

import codecs
import fnmatch
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from .documents import Document, File, documents
from .yaml_text import InvalidSource, refused

Find = Callable[[str], str]
Decrypt = Callable[[str], bytes]

SUFFIXES = (".yaml", ".yml", ".json")
LARGEST_FILE = 5_000_000
_VAULT = b"$ANSIBLE_VAULT"
_WILDCARDS = frozenset("*?[")
_HERE = ("", ".")
_MARK = "file of src:"


def packed_files(asked: Iterable[str], find: Find, decrypt: Decrypt, folders: Sequence[str]) -> list[str]:
    """Every file that `src` names, as one text each. Raises InvalidSource.

    What begins with a pattern names no folder that could be found: it is looked for in each of `folders`, and the
    first in which it matches something is meant.
    """
    entries = list(asked)
    _refuse_blank(entries)
    found: dict[str, tuple[Path, str]] = {}  # by their real paths: links do not make a file two
    meant_by: dict[str, list[str]] = {}
    for entry in entries:
        for path, place in _expanded(entry, find, folders):
            real = os.path.realpath(path)
            found.setdefault(real, (path, place))
            meant_by.setdefault(real, []).append(entry)
    return [_packed(_read(path, place, decrypt), meant_by[real]) for real, (path, place) in found.items()]


def unpacked_documents(packed: Iterable[str], *, each_holds_some: bool = False) -> Iterator[Document]:
    """The documents of packed files. Raises InvalidSource, with `each_holds_some` also for an entry without any."""
    holds: dict[str, bool] = {}
    for text in packed:
        file, asked = _unpacked(text)
        found = False
        for document in documents(file):
            found = True
            yield document
        holds |= {entry: found or holds.get(entry, False) for entry in asked}
    empty = [entry for entry, found in holds.items() if not found]
    if empty and each_holds_some:
        raise _holds_nothing(empty)


def not_found(path: str) -> InvalidSource:
    """The error of a path that Ansible's search does not find."""
    hint = "Files are looked for in 'files' of the role and of the playbook, and beside both"
    return InvalidSource(f"'{path}' is not found", subject=path, reason="'src' names it", hint=hint)


def not_opened(path: str) -> InvalidSource:
    """The error of a vaulted file."""
    return refused(path, 0, "it is vaulted, and no secret given opens it", "Give its vault password")


def _refuse_blank(asked: Iterable[str]) -> None:
    """Raise InvalidSource for an entry without text: it would be the folder of the playbook, with all below it."""
    for number, entry in enumerate(asked):
        if not entry.strip():
            raise InvalidSource(
                f"src[{number}] is empty",
                subject=f"src[{number}]",
                reason="an empty path would stand for every manifest beside the playbook or in the role",
                hint="Name a file, a folder or a pattern there, or take the entry out; 'src: []' says that no file is "
                "meant. Where a template gives the entry, look at its variable",
            )


def _packed(file: File, asked: list[str]) -> str:
    return f"{_MARK}{json.dumps([file.place, *asked])}\n{file.text}"


def _unpacked(packed: str) -> tuple[File, list[str]]:
    """A file, and the entries of `src` that mean it."""
    head, _newline, text = packed.partition("\n")
    if not head.startswith(_MARK):  # a path that nobody has read must never pass for an empty file
        raise InvalidSource(f"{head} has not been read", subject=head, reason="the module runs without its action")
    place, *asked = json.loads(head.removeprefix(_MARK))
    return File(place, text), asked


def _holds_nothing(entries: list[str]) -> InvalidSource:
    told = ", ".join(f"'{entry}'" for entry in entries)
    return InvalidSource(
        f"{told} of 'src' holds no object",
        subject=entries[0],
        reason="there is nothing in it but comments and separators, and 'prune' deletes what has left the input",
        hint="Look whether it was cut short, and restore it, or take it out of 'src'; 'src: []' says on purpose that "
        "nothing is meant",
    )


def _expanded(asked: str, find: Find, folders: Sequence[str]) -> list[tuple[Path, str]]:
    """The files behind a path, a folder or a pattern, in order, each with the name that tells the user which it is."""
    head, pattern = _split(asked)
    named = os.path.normpath(head) not in _HERE
    bases = [Path(find(head))] if named else [Path(folder) for folder in folders if os.path.isdir(folder)]
    if named and not pattern and not bases[0].is_dir():
        return [(bases[0], asked)]
    for base in bases:
        if found := _found(base, head, pattern):
            return found
    wanted = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
    where = "below it" if named else f"for it in {', '.join(map(str, bases)) or 'any folder'}"
    hint = "Correct 'src'; an empty list says on purpose that nothing is meant"
    raise InvalidSource(f"'{asked}' holds no manifests", subject=asked, reason=f"no {wanted} {where}", hint=hint)


def _found(base: Path, head: str, pattern: str) -> list[tuple[Path, str]]:
    """The files of one folder, each with its name."""
    try:
        files = [file for root in _matching(base, pattern.split("/") if pattern else []) for file in _manifests(root)]
    except OSError as error:
        place = os.path.normpath(os.path.join(head, Path(error.filename).relative_to(base)))
        raise _not_entered(place, error) from error
    return [(file, os.path.join(head, file.relative_to(base))) for file in files]


def _not_entered(place: str, error: OSError) -> InvalidSource:
    """What is in a folder that is left out would look as if it had left the input."""
    hint = "Give the user that runs Ansible the right to read it, or take it out of 'src'"
    return refused(f"the folder '{place}'", 0, error.strerror or str(error), hint)


def _split(asked: str) -> tuple[str, str]:
    """The part of a path before its first wildcard, and the pattern below it."""
    parts = asked.split("/")
    first = next((number for number, part in enumerate(parts) if _WILDCARDS & set(part)), len(parts))
    head = "/".join(parts[:first])
    return (head or "/") if asked.startswith("/") else head, "/".join(parts[first:])


def _matching(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    """What a pattern matches below a folder. Raises OSError for a folder that cannot be read: glob leaves it out."""
    if not parts or list(parts) == ["**"]:
        yield folder
        return
    part, rest = parts[0], parts[1:]
    for path in _named(folder, part):
        if path.is_dir() if rest else path.is_symlink() or path.exists():
            yield from _matching(path, rest)


def _named(folder: Path, part: str) -> list[Path]:
    """What one part of a pattern stands for in a folder; no link back to the folder itself."""
    names = sorted(os.listdir(folder))
    if part == "**":
        return [Path(below) for below, _names in _walked(folder)]
    if not _WILDCARDS & set(part):
        return [folder / part]
    shown = [name for name in fnmatch.filter(names, part) if part.startswith(".") or not name.startswith(".")]
    return [folder / name for name in shown if not _is_same(folder / name, folder)]


def _is_same(path: Path, folder: Path) -> bool:
    return path.is_symlink() and os.path.realpath(path) == os.path.realpath(folder)


def _manifests(root: Path) -> Iterator[Path]:
    """Manifests at or below a path, sorted; hidden ones are somebody's tools, not objects."""
    if not root.is_dir():
        _refuse_dead_links(str(root.parent), [root.name])
        if _is_manifest(root.name):
            yield root
        return
    for folder, names in _walked(root):
        for name in sorted(names):
            if _is_manifest(name) and not name.startswith("."):
                yield Path(folder, name)


def _is_manifest(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _walked(root: Path) -> Iterator[tuple[str, list[str]]]:
    """A folder and those below it, also behind links, with the names of their files; none twice, or links go round."""
    seen = {os.path.realpath(root)}
    for folder, folders, names in os.walk(root, onerror=_raise, followlinks=True):
        entered = []
        for name in sorted(name for name in folders if not name.startswith(".")):
            real = os.path.realpath(os.path.join(folder, name))
            if real not in seen:
                seen.add(real)
                entered.append(name)
        folders[:] = entered
        _refuse_dead_links(folder, names)
        yield folder, names


def _refuse_dead_links(folder: str, names: list[str]) -> None:
    """Raise OSError for a link that may have led to a folder; reading tells of a file's."""
    for path in (os.path.join(folder, name) for name in names if not name.startswith(".") and not _is_manifest(name)):
        if os.path.islink(path):
            os.stat(path)


def _raise(error: OSError) -> None:
    raise error


def _read(path: Path, place: str, decrypt: Decrypt) -> File:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise refused(place, 0, "it is no file")
        if found.st_size > LARGEST_FILE:
            raise _too_large(place, found.st_size)
        content = path.read_bytes()
    except OSError as error:
        raise refused(place, 0, error.strerror or str(error), "Check the path and its permissions") from error
    return File(place, _text(place, decrypt(str(path)) if content.startswith(_VAULT) else content))


def _too_large(place: str, size: int) -> InvalidSource:
    why = f"it has {size / 1e6:.1f} MB, and a file may have {LARGEST_FILE / 1e6:.0f} MB"
    return refused(place, 0, why, "Split it; several files and folders can stand in 'src'")


def _text(place: str, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refused(place, 0, "it is UTF-16, not UTF-8", "Save it as UTF-8")
    if b"\0" in content:
        raise refused(place, 0, "it is binary, not text")
    try:
        # Not by "utf-8-sig": that codec is a module, which every worker would import anew.
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise refused(place, line, "it is not UTF-8", "Save it as UTF-8") from error
