"""manifest.json: what a mirror holds, and whether it still does."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from ciliumlab import download
from ciliumlab.errors import LabError, Problem

NAME = "manifest.json"


class Entry(TypedDict):
    """A file: its size in bytes, SHA-256 in hex, and where it came from."""

    size: int
    sha256: str
    source: str


class Contents:
    """The files of the mirror in ``root``, by their paths below it. May be used by several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._files: dict[str, Entry] = {}
        path = root / NAME
        try:
            self._files = json.loads(path.read_bytes())["files"]
        except FileNotFoundError:
            pass
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise LabError(
                Problem(str(path), f"cannot be read ({error}); delete it, and fetch what is missing again")
            ) from error

    def __len__(self) -> int:
        return len(self._files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry["size"] for entry in self._files.values())

    def holds(self, path: str, source: str) -> bool:
        """Whether the file is there, came from ``source`` and has its size; its contents are not read."""
        entry, file = self._files.get(path), self.root / path
        return (
            entry is not None
            and entry["source"] == source
            and file.is_file()
            and file.stat().st_size == entry["size"]
        )

    def add(self, path: str, source: str) -> None:
        """Note a file that has come."""
        file = self.root / path
        entry = Entry(size=file.stat().st_size, sha256=download.digest(file), source=source)
        with self._lock:
            self._files[path] = entry
            self._save()

    def _save(self) -> None:
        text = json.dumps({"files": dict(sorted(self._files.items()))}, indent=1) + "\n"
        new = self.root / f".{NAME}.new"
        new.write_text(text)
        new.replace(self.root / NAME)

    def problems(self) -> Iterator[Problem]:
        """What is not as noted: files that are missing, changed, or foreign."""
        for path, entry in sorted(self._files.items()):
            file = self.root / path
            if not file.is_file():
                yield Problem(str(file), "is missing; fetch it again")
            elif file.stat().st_size != entry["size"]:
                what = f"has {file.stat().st_size} bytes, not {entry['size']}; delete it, and fetch it again"
                yield Problem(str(file), what)
            elif (found := download.digest(file)) != entry["sha256"]:
                what = f"was changed (SHA-256 {found}, not {entry['sha256']}); delete it, and fetch it again"
                yield Problem(str(file), what)
        known = {NAME, *self._files}
        for folder, _folders, names in os.walk(self.root):
            for name in sorted(names):
                file = Path(folder, name)
                if file.relative_to(self.root).as_posix() in known:
                    continue
                # A download that was cut off goes on where it was; the server shows no such file.
                left = file.suffix == ".part" or ".partial" in file.parts
                what = (
                    "is what an interrupted fetch left; fetch again, or delete it"
                    if left
                    else "is not of this mirror; delete it"
                )
                yield Problem(str(file), what)
