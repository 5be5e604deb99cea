"""Downloads on a host by apt's own downloader, since not every host has curl."""

from __future__ import annotations

import shlex

from ciliumlab.sources import Download

# Where downloads wait for their check; nothing in it is used before that. What stays is found again by its
# checksum alone.
CACHE = "/var/cache/ciliumlab"

# Seconds that a download may take: hundreds of megabytes over a slow line.
DURATION = 7200

# apt's defaults would wait for two minutes for each attempt to connect.
_HELPER = (
    "/usr/lib/apt/apt-helper -q -o Acquire::Retries=3 -o Acquire::http::Timeout=30"
    " -o Acquire::https::Timeout=30 -o APT::Sandbox::User=root"
)


def download(url: str, path: str, sha256: str = "") -> str:
    """A shell command that downloads ``url`` to ``path`` below `CACHE`.

    It fails, leaving nothing, when the file cannot be had, or its checksum (hex) is another one. What apt
    says of the cause goes to standard error.
    """
    file = shlex.quote(path)
    expected = f" SHA256:{sha256}" if sha256 else ""
    return (
        f"umask 077 && mkdir -p {CACHE} && rm -f {file} && {{ {_HELPER} download-file {shlex.quote(url)}"
        f" {file}{expected} >/dev/null || {{ rm -f {file} {file}.FAILED; false; }}; }}"
    )


def kept(source: Download, suffix: str) -> tuple[str, str]:
    """A shell command that has a download in `CACHE`, fetched unless it is there, and its path there."""
    path = f"{CACHE}/{source['sha256']}{suffix}"
    there = f'echo "{source["sha256"]}  {path}" | sha256sum --check --status 2>/dev/null'
    return f"{there} || {{ {download(source['url'], path, source['sha256'])}; }}", path
