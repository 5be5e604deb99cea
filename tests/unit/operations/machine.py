"""A folder that stands in for a host's root, in which a real shell carries out what operations give."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from ciliumlab.facts.shell import State


class Machine:
    """``folders`` are the absolute ones that commands name, which are below ``root`` instead.

    Programs of its own come before the host's; what they see is $ROOT.
    """

    def __init__(self, root: Path, *folders: str) -> None:
        self.root, self.folders = root, folders
        (root / "bin").mkdir()
        self.environment = {"PATH": f"{root}/bin:{os.environ['PATH']}", "ROOT": str(root)}

    def at(self, path: str) -> Path:
        """The file that has the absolute ``path`` on the host."""
        return self.root / path.lstrip("/")

    def program(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def here(self, command: str) -> str:
        """A command as it is carried out here."""
        for folder in self.folders:
            command = command.replace(folder, f"{self.root}{folder}")
        return command

    def shell(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", self.here(command)],
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def read(self, fact: State[Any], **arguments: Any) -> Any:
        """What a fact finds here, with paths as the host has them."""
        printed = self.shell(fact.command(**arguments)).stdout.replace(str(self.root), "")
        found = fact.process(printed.splitlines())
        assert found is not None
        return found
