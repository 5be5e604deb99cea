"""What operations ask first is read by one command, and is never older than the last change."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_deploy import pyinfra

FILES = """
from ciliumlab.operations import files

def have(name, **arguments):
    files.present(name=name, files={f"FOLDER/{name}": {"text": name, "owner": "OWNER"}}, **arguments)
"""


class Folder:
    """A folder on this machine that deploys put files into."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def has(self, *names: str) -> None:
        for name in names:
            (self.path / name).write_text(name)

    def deploy(self, text: str, status: int = 0) -> tuple[list[str], str]:
        """The lines that pyinfra has sent to a shell, each a command's first, and all that it said."""
        declared = FILES.replace("FOLDER", str(self.path)).replace("OWNER", f"{self.owner}:{self.group}")
        (self.path / "deploy.py").write_text(declared + text)
        result = pyinfra("-y", "-vvv", "--data", "_sudo=false", "@local", str(self.path / "deploy.py"))
        assert result.returncode == status, result.stderr
        said = result.stdout + result.stderr
        return [line for line in said.splitlines() if ">>> sh -c" in line], said

    @property
    def owner(self) -> str:
        return self.path.owner()

    @property
    def group(self) -> str:
        return self.path.group()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_where_nothing_is_to_be_changed_one_command_is_all(folder: Folder) -> None:
    folder.has("a", "b", "c")
    commands, said = folder.deploy('have("a")\nhave("b")\nhave("c")\n')
    assert len(commands) == 1
    assert said.count("as declared") == 3
    assert "Together (asked=[Files(" in said


def test_a_host_that_was_changed_is_asked_one_by_one(folder: Folder) -> None:
    folder.has("b", "c")
    commands, said = folder.deploy('have("a")\nhave("b")\nhave("c")\n')
    # All three, a's change, then b and c.
    assert len(commands) == 4
    assert said.count("as declared") == 2


def test_an_answer_is_void_once_something_was_changed(folder: Folder) -> None:
    """The second operation removes what the third has asked for at first."""
    folder.has("a", "b")
    text = f'have("a")\nfiles.present(name="none", files={{}}, absent=["{folder.path}/b"])\nhave("b")\n'
    folder.deploy(text)
    assert (folder.path / "b").read_text() == "b"


def test_nothing_is_read_across_an_operation_of_somebody_elses(folder: Folder) -> None:
    folder.has("a", "b", "c")
    text = 'from pyinfra.operations import server\nhave("a")\n'
    commands, _ = folder.deploy(f'{text}server.shell("rm {folder.path}/c")\nhave("b")\nhave("c")\n')
    assert (folder.path / "c").read_text() == "c"
    # a alone, the removal, b and c together, c's change.
    assert len(commands) == 4


def test_who_asks_as_another_user_is_answered_apart(folder: Folder) -> None:
    folder.has("a", "b", "c")
    commands, said = folder.deploy('have("a")\nhave("b", _env={"LC_ALL": "C"})\nhave("c")\n')
    assert len(commands) == 2
    assert said.count("as declared") == 3


STAGES = """
from pyinfra.api import deploy
from ciliumlab.facts.shell import State, sections
from ciliumlab.operations.api import operation, read

class Late(State[str]):
    def command(self):
        return sections(late="echo late")
    def parse(self, found):
        return found["late"][0]

@operation
def ask():
    print(read(Late))
    yield from ()

@deploy("first")
def first(*names):
    for name in names:
        have(name)

@deploy("second")
def second(*names):
    for name in names:
        have(name)
    ask()
    ask()
"""


def test_what_is_early_is_read_with_a_former_stage(folder: Folder) -> None:
    """And what is not, with its own stage."""
    folder.has("a", "b", "c", "d")
    commands, said = folder.deploy(f'{STAGES}first("a", "b")\nsecond("c", "d")\n')
    assert len(commands) == 2
    assert said.count("as declared") == 4
    assert said.startswith("late\nlate\n")


def test_a_host_that_was_changed_is_asked_stage_by_stage(folder: Folder) -> None:
    folder.has("b", "c", "d")
    commands, said = folder.deploy(f'{STAGES}first("a", "b")\nsecond("c", "d")\n')
    # All files, a's change, b; then one command for what the second stage asks.
    assert len(commands) == 4
    assert said.count("as declared") == 3


def test_an_early_answer_is_void_once_something_was_changed(folder: Folder) -> None:
    """The first stage removes what the second has been asked for."""
    folder.has("a", "b")
    absent = f'files.present(name="none", files={{}}, absent=["{folder.path}/b"])'
    text = STAGES.replace("        have(name)\n", f"        have(name)\n    {absent}\n", 1)
    folder.deploy(f'{text}first("a")\nsecond("b")\n')
    assert (folder.path / "b").read_text() == "b"


INSPECTION = f"""
{STAGES}
from ciliumlab.operations.api import inspection

@inspection
def look():
    print(read(Late))
    yield from ()
"""


def test_an_inspection_reads_nothing_ahead_for_what_changes(folder: Folder) -> None:
    """It has not waited for another run's end, as that will have."""
    folder.has("a", "b")
    commands, said = folder.deploy(f'{INSPECTION}look()\nlook()\nhave("a")\nhave("b")\n')
    assert len(commands) == 2
    assert said.startswith("late\nlate\n")
    assert said.count("as declared") == 2


SEVERAL = """
from ciliumlab.facts.files import Files, Texts
from ciliumlab.facts.together import Asked
from ciliumlab.operations.api import operation, read, reads_first

PATHS = {"paths": ["FOLDER/a"]}

@operation
def several():
    reads_first(Asked(Files, PATHS), Asked(Texts, PATHS))
    print("owner", read(Files, **PATHS)["FOLDER/a"]["owner"])
    print("text", read(Texts, **PATHS)["FOLDER/a"]["text"])
    print("text again", read(Texts, **PATHS)["FOLDER/a"]["text"])
    yield from ()
"""


@pytest.mark.parametrize("others", ["", 'have("a")\n', 'have("b")\n'])
def test_an_operation_that_says_so_has_several_questions_answered(folder: Folder, others: str) -> None:
    """One that it asks once more is asked anew; once something was changed, its own still go together."""
    folder.has("a")
    several = SEVERAL.replace("FOLDER", str(folder.path))
    commands, said = folder.deploy(f"{several}{others}several()\n")
    assert f"owner {folder.owner}:{folder.group}\ntext a\ntext again a\n" in said
    assert len(commands) == {"": 2, 'have("a")\n': 2, 'have("b")\n': 4}[others]


ODD = """
from ciliumlab.facts.shell import State, sections
from ciliumlab.operations.api import operation, read

class Odd(State[int]):
    def command(self):
        return sections(one="echo two")
    def parse(self, found):
        return int(found["one"][0])

@operation
def odd():
    read(Odd)
    yield from ()

have("a")
odd()
have("b")
"""


def test_what_cannot_be_read_is_asked_for_alone_and_says_why(folder: Folder) -> None:
    """The run's only host fails there, by a line and without a traceback."""
    folder.has("a", "b")
    commands, said = folder.deploy(ODD, status=1)
    assert len(commands) == 2
    assert "invalid literal for int()" in said
    assert "Odd could not be read for the reason above" in said
    assert "Traceback" not in said
    assert said.count("as declared") == 1
