"""Images as a real shell has them imported, with a downloader and a ctr that stand in for the host's."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ciliumlab.facts.images import Images

from . import machine as machines
from .harness import Host, run

NAMES = ("registry.k8s.io/pause:3.10", "registry.k8s.io/etcd:3.5.21-0", "quay.io/cilium/cilium:v1.18.0")

# An archive here is a line: the digest of the image that it holds.
HELPER = """for last; do :; done
shift "$(($# - 2))"
echo "$1" >> "$ROOT/downloads"
cp "$ROOT/up/${1##*/}" "$last"
"""
# As containerd's prints them; an image's name is its base name and the tag that the archive has.
CTR = """[ "$1 $2" = "--namespace k8s.io" ] || exit 1
there=$ROOT/images
case "$4" in
import)
    read -r digest tag < "$8"
    [ "$digest" != torn ] || { echo "ctr: unexpected EOF" >&2; exit 1; }
    grep -v "^$7:$tag " "$there" > "$there.new"; mv "$there.new" "$there"
    echo "$7:$tag index $digest complete 1.0_KiB true" >> "$there"
    echo "unpacking $7:$tag ($digest)...done";;
list | check) echo "REF TYPE DIGEST STATUS SIZE UNPACKED"; cat "$there";;
rm) grep -v "^$5 " "$there" > "$there.new"; mv "$there.new" "$there"; echo "$5";;
esac
"""


class Machine(machines.Machine):
    """A node, and the mirror that it takes images from."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "/usr/lib/apt", "/var/cache/ciliumlab")
        for folder in ("/usr/lib/apt", "/var/cache", "/up"):
            self.at(folder).mkdir(parents=True)
        self.at("/images").touch()
        self.program("ctr", CTR)
        self.program("apt-helper", HELPER)
        (root / "bin/apt-helper").rename(self.at("/usr/lib/apt/apt-helper"))

    def publish(self, name: str, digest: str) -> dict[str, str]:
        """An image that the mirror has from now on, as an operation is told of it."""
        file = name.replace("/", "_").replace(":", "_") + ".tar"
        self.at(f"/up/{file}").write_text(f"{digest} {name.rpartition(':')[2]}\n")
        return {"name": name, "digest": digest, "url": f"http://m/images/{file}"}

    def there(self) -> dict[str, str]:
        found: dict[str, str] = self.read(Images())
        return found

    def deploy(self, images: list[dict[str, str]]) -> subprocess.CompletedProcess[str] | None:
        """How the one command ended, None if there was nothing to do."""
        commands: list[Any] = run("images.imported", Host({"Images": self.there()}), {"images": images})
        assert len(commands) <= 1
        done = self.shell(str(commands[0])) if commands else None
        assert list(self.at("/var/cache/ciliumlab").glob("*")) == []
        return done

    def downloads(self) -> int:
        return len(self.at("/downloads").read_text().splitlines())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_all_that_are_missing_come_by_one_command(machine: Machine) -> None:
    images = [machine.publish(name, f"sha256:{number}") for number, name in enumerate(NAMES)]
    done = machine.deploy(images)
    assert done is not None
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.there() == {name: f"sha256:{number}" for number, name in enumerate(NAMES)}
    assert machine.deploy(images) is None


@pytest.mark.parametrize("digest", ["torn", ""])
def test_it_ends_at_the_first_that_fails_and_goes_on_from_there(machine: Machine, digest: str) -> None:
    """An archive that is cut, or one that is not there."""
    images = [machine.publish(name, f"sha256:{number}") for number, name in enumerate(NAMES)]
    broken = machine.at(f"/up/{images[1]['url'].rpartition('/')[2]}")
    broken.write_text("torn 3.5.21-0\n") if digest else broken.unlink()
    done = machine.deploy(images)
    assert done is not None
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"{NAMES[1]} could not be imported"
    assert set(machine.there()) == {NAMES[0]}
    machine.publish(NAMES[1], "sha256:1")
    before = machine.downloads()
    again = machine.deploy(images)
    assert again is not None
    assert again.returncode == 0
    assert machine.downloads() - before == 2
    assert set(machine.there()) == set(NAMES)


def test_an_image_of_another_digest_does_not_stay(machine: Machine) -> None:
    images = [machine.publish(name, f"sha256:{number}") for number, name in enumerate(NAMES)]
    images[1] |= {"digest": "sha256:0123"}
    done = machine.deploy(images)
    assert done is not None
    assert (done.returncode, done.stderr) == (1, f"{images[1]['url']} is not sha256:0123\n")
    assert set(machine.there()) == {NAMES[0], NAMES[2]}


def test_one_is_looked_at_even_where_the_next_one_fails(machine: Machine) -> None:
    images = [machine.publish(name, f"sha256:{number}") for number, name in enumerate(NAMES)]
    images[0] |= {"digest": "sha256:0123"}
    machine.publish(NAMES[1], "torn")
    done = machine.deploy(images)
    assert done is not None
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        f"{NAMES[1]} could not be imported",
        f"{images[0]['url']} is not sha256:0123",
    ]
    assert machine.there() == {}


def test_one_without_a_digest_is_taken_as_it_is(machine: Machine) -> None:
    image = machine.publish(NAMES[0], "sha256:0")
    done = machine.deploy([image | {"digest": ""}])
    assert done is not None
    assert done.returncode == 0
    assert machine.deploy([image | {"digest": ""}]) is None
    assert machine.deploy([image]) is None
