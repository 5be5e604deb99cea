"""Wheel and sdist, built from this source, installed where there is nothing else, and used from there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "operations" / "deploy.py"


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; it sees nothing of this checkout, nor of the environment of the tests."""
    hidden = ("PYTHON", "VIRTUAL_ENV", "CILIUMLAB_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it stands in its repository, in a folder of its own: a build leaves things there."""
    folder = tmp_path_factory.mktemp("source") / "ciliumlab"
    hidden = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "tests")
    shutil.copytree(ROOT, folder, ignore=hidden)
    return folder


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and with the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    [found] = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def sdist(built: Path) -> Path:
    [found] = built.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment with the wheel, what it declares to need, and nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    pins = folder / "constraints.txt"
    pins.write_text("\n".join(re.findall(r"^\S+==[^\\\n]+", (ROOT / "requirements.lock").read_text(), re.M)))
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    run(folder / "venv/bin/pip", "install", "--quiet", "--constraint", pins, wheel, cwd=folder)
    return folder / "venv" / "bin"


def library() -> set[str]:
    """The files that make the library."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / "ciliumlab").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_the_wheel_has_the_library_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert {name for name in names if ".dist-info/" not in name} == library()
    assert {"ciliumlab/py.typed", "ciliumlab/vagrant/Vagrantfile.j2"} <= names
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nLicense-File: LICENSE\n" in metadata


def test_the_sdist_has_what_the_wheel_is_built_from(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert names >= {*library(), "pyproject.toml", "README.md", "LICENSE"}


def test_every_module_is_there_with_all_that_it_needs(clean: Path, tmp_path: Path) -> None:
    """An import that is not declared as a dependency fails here."""
    walk = (
        "import importlib, pkgutil, ciliumlab\n"
        "for module in pkgutil.walk_packages(ciliumlab.__path__, 'ciliumlab.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        importlib.import_module(module.name)\n"
        "        print(module.name)\n"
        "print(ciliumlab.__file__)"
    )
    *modules, file = run(clean / "python", "-I", "-c", walk, cwd=tmp_path).splitlines()
    assert Path(file).is_relative_to(clean.parent)
    assert {"ciliumlab.operations.helm", "ciliumlab.facts.netplan", "ciliumlab.plan.cilium.keys"} <= {
        *modules
    }
    assert run(clean / "pip", "check", cwd=tmp_path) == "No broken requirements found.\n"


def test_the_command_has_its_data_files(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "inventory").mkdir()
    shutil.copy(ROOT / "inventory" / "lab.yaml", tmp_path / "inventory")
    assert run(clean / "ciliumlab", "vagrantfile", cwd=tmp_path) == (ROOT / "Vagrantfile").read_text()


def test_the_example_is_a_deploy_of_ten_lines(clean: Path, tmp_path: Path) -> None:
    """A dry run on this very host: facts are really asked for, and nothing is changed."""
    lines = [line for line in EXAMPLE.read_text().splitlines() if line]
    assert len(lines) <= 10
    shutil.copy(EXAMPLE, tmp_path)
    printed = run(clean / "pyinfra", "--dry", "--json", "@local", "deploy.py", cwd=tmp_path)
    planned = {operation["name"]: operation["hosts_with_change"] for operation in json.loads(printed)["plan"]}
    assert planned == {
        "The storage network is in force": ["@local"],
        "metrics-server has rolled out": ["@local"],
    }
    assert not Path("/etc/netplan/70-storage.yaml").exists()


def test_the_sdist_installs_the_same(clean: Path, sdist: Path, tmp_path: Path) -> None:
    def installed() -> set[str]:
        shown = run(clean / "pip", "show", "--files", "ciliumlab", cwd=tmp_path)
        return set(re.findall(r"^  (ciliumlab/.*(?<!\.pyc))$", shown, re.M))

    assert installed() == library()
    run(clean / "pip", "uninstall", "--quiet", "--yes", "ciliumlab", cwd=tmp_path)
    run(clean / "pip", "install", "--quiet", "--no-deps", sdist, cwd=tmp_path)
    assert installed() == library()
