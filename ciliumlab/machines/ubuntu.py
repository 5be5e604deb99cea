"""Ubuntu 24.04's cloud image, with the kernel that Ubuntu publishes beside it, checked by SHA256SUMS."""

from __future__ import annotations

from pathlib import Path

from ciliumlab import download
from ciliumlab.errors import LabError, Problem
from ciliumlab.machines import image
from ciliumlab.machines.image import Image
from ciliumlab.machines.programs import run
from ciliumlab.progress import Report

NAME = "ubuntu-24.04"
BASE_URL = "https://cloud-images.ubuntu.com/releases/noble/release"
DISK_SIZE = "12G"


def obtain(report: Report, base_url: str = BASE_URL) -> Image:
    """The image, from the cache or downloaded now (about 700 MB).

    Which build is current is always asked of Ubuntu; LabError when that is out of reach.
    """
    architecture = image.architecture()
    stem = f"{NAME}-server-cloudimg-{architecture}"
    wanted = {
        "disk.img": (base_url, f"{stem}.img"),
        "vmlinuz": (f"{base_url}/unpacked", f"{stem}-vmlinuz-generic"),
        "initrd": (f"{base_url}/unpacked", f"{stem}-initrd-generic"),
    }
    report("asking Ubuntu for its current image")
    sums = {
        folder: download.checksums(download.read_text(f"{folder}/SHA256SUMS"))
        for folder in dict.fromkeys(folder for folder, _ in wanted.values())
    }
    for folder, name in wanted.values():
        if name not in sums[folder]:
            raise LabError(Problem(f"{folder}/SHA256SUMS", f"lists no {name}"))
    digest = sums[base_url][f"{stem}.img"][:12]
    target = image.cache() / f"{NAME}-{architecture}-{digest}"
    # Downloads stand beside the scratch folder, so what has come survives an interrupted run.
    downloads = image.cache() / f"{NAME}-{architecture}-{digest}.downloads"

    def make(scratch: Path) -> None:
        downloads.mkdir(parents=True, exist_ok=True)
        for name, (folder, published) in wanted.items():
            if not (downloads / name).exists():
                url = f"{folder}/{published}"
                download.fetch(url, downloads / name, sums[folder][published], report)
        run(["qemu-img", "resize", "-q", downloads / "disk.img", DISK_SIZE], what="growing Ubuntu's disk")
        for name in wanted:
            (downloads / name).rename(scratch / name)
        downloads.rmdir()

    image.make_once(target, make, report)
    return Image(NAME, target, disk_format="qcow2", root_device="LABEL=cloudimg-rootfs", cloud_init=True)
