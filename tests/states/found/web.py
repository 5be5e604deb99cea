"""The router's web server, on itself and as others see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .shell import Answers, File, Unit, files, read_files, read_units, units

APACHE = "apache2.service"
PAGE_FILE = "/var/www/html/index.html"


@dataclass(frozen=True)
class Web:
    apache: Unit
    files: dict[str, File]


def questions() -> dict[str, str]:
    return {"apache": units([APACHE]), "files": files(PAGE_FILE)}


def read(found: Answers) -> Web:
    return Web(
        apache=read_units(found["apache"])[APACHE],
        files=read_files(found["files"]),
    )


def fetches(addresses: Iterable[str]) -> dict[str, str]:
    """Questions after the page at each address; the answer is the page, or what curl complains of."""
    return {address: f"curl --silent --show-error --fail -m 20 http://{address}/" for address in addresses}
