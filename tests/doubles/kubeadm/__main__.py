"""The command line: `python3 -m kubeadm init --config /dev/stdin`, as /usr/bin/kubeadm calls it."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from pathlib import Path

import yaml
from common.api import Api, ApiError, Unreachable
from common.documents import DocumentError
from common.host import DOUBLE, at, version
from common.x509 import OpensslError
from kubeadm import certs, cluster, tokens
from kubeadm.configuration import images
from kubeadm.defaults import ValidationError, cluster_defaults, for_init, for_join, token_defaults
from kubeadm.init import init, upload_certificates
from kubeadm.join import join
from kubeadm.phases import Failed, warn
from kubeadm.reset import reset
from kubeadm.upgrade import apply, node, plan

HELP = f"""kubeadm: {DOUBLE}

Usage:
  kubeadm init | join | reset | version
  kubeadm init phase upload-certs
  kubeadm token create | list | delete
  kubeadm upgrade plan | apply | node
  kubeadm config images list
  kubeadm certs certificate-key | check-expiration

Flags that it knows are those that it acts on; it refuses the others.
"""

SWITCHES = {"upload-certs", "skip-token-print", "skip-certificate-key-print", "force", "f", "yes", "y",
            "print-join-command", "help", "h"}  # fmt: skip
COMMON = {"help", "h", "v", "kubeconfig"}
FLAGS: dict[str, set[str]] = {
    "init": {"config", "upload-certs", "skip-token-print", "skip-certificate-key-print", "certificate-key",
             "skip-phases", "ignore-preflight-errors"},
    "init phase upload-certs": {"config", "upload-certs", "certificate-key", "skip-certificate-key-print"},
    "join": {"config", "skip-phases", "ignore-preflight-errors"},
    "reset": {"force", "f", "cert-dir", "cri-socket", "ignore-preflight-errors"},
    "version": {"output", "o"},
    "token create": {"config", "ttl", "usages", "groups", "description", "print-join-command"},
    "token list": {"output", "o"},
    "token delete": set(),
    "upgrade plan": {"config"},
    "upgrade apply": {"yes", "y", "force", "f", "skip-phases", "ignore-preflight-errors"},
    "upgrade node": {"skip-phases", "ignore-preflight-errors"},
    "config images list": {"kubernetes-version", "config", "image-repository"},
    "certs certificate-key": set(),
    "certs check-expiration": set(),
}  # fmt: skip


class UsageError(Exception):
    """The command line itself is wrong."""


def main(arguments: list[str]) -> int:
    try:
        return _run(arguments)
    except (DocumentError, Failed, ApiError, Unreachable, OpensslError) as error:
        return _told(error, 1)
    except ValidationError as error:
        # What kubeadm's validation finds has a status of its own.
        return _told(error, 3)
    except (OSError, UsageError) as error:
        return _told(error, 1)


def _told(error: Exception, status: int) -> int:
    said = str(error)
    warn(said)
    warn("To see the stack trace of this error execute with --v=5 or higher")
    return status


def _run(arguments: list[str]) -> int:
    command, positional, options = _parsed(arguments)
    if not command or options.keys() & {"help", "h"}:
        print(HELP, end="")
        return 0
    skipped = [name for name in str(options.get("skip-phases") or "").split(",") if name]
    if command not in ("version", "config images list", "certs certificate-key") and os.geteuid() != 0:
        raise Failed(
            "[preflight] Some fatal errors occurred:\n\t[ERROR IsPrivilegedUser]: user is not running "
            "as root\n"
            "[preflight] If you know what you are doing, you can make a check non-fatal with "
            "`--ignore-preflight-errors=...`"
        )
    if command == "init":
        init(for_init(_document(options)), options, skipped)
    elif command == "init phase upload-certs":
        if options.get("upload-certs"):
            given = _document(options)
            key = (for_init(given).node.get("certificateKey") if given else "") or ""
            key = str(options.get("certificate-key") or key or cluster.new_certificate_key())
            upload_certificates(key, not options.get("skip-certificate-key-print"))
        else:
            print("[upload-certs] Skipping phase. Please see --upload-certs")
    elif command == "join":
        join(for_join(_document(options)), options, skipped)
    elif command == "reset":
        reset(options)
    elif command == "version":
        print(_version(str(options.get("output") or options.get("o") or "")), end="")
    elif command.startswith("token"):
        _token(command.split()[1], positional, options)
    elif command == "upgrade plan":
        plan(positional[0] if positional else "")
    elif command == "upgrade apply":
        if not positional:
            raise UsageError("accepts 1 arg(s), received 0")
        apply(positional[0], options)
    elif command == "upgrade node":
        node(options)
    elif command == "config images list":
        print("\n".join(images(_images_of(options))))
    elif command == "certs certificate-key":
        print(cluster.new_certificate_key())
    else:
        print("CERTIFICATE                EXPIRES")
        for name, end in certs.expirations().items():
            print(f"{name:<26} {end}")
    return 0


def _parsed(arguments: list[str]) -> tuple[str, list[str], dict[str, object]]:
    words, options = [], {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, given, value = word.lstrip("-").partition("=")
        if given:
            options[name] = value if name not in SWITCHES else value != "false"
        elif name in SWITCHES:
            options[name] = True
        elif not rest:
            raise UsageError(f"flag needs an argument: {word}")
        else:
            options[name] = rest.pop(0)
    for length in (3, 2, 1):
        command = " ".join(words[:length])
        if command in FLAGS and len(words) >= length:
            for name in options:
                if name not in FLAGS[command] | COMMON:
                    raise UsageError(f"unknown flag: --{name}")
            return command, words[length:], options
    if words and not options.keys() & {"help", "h"}:
        raise UsageError(f'unknown command "{words[0]}" for "kubeadm"')
    return "", words, options


def _document(options: dict[str, object]) -> str:
    path = options.get("config")
    if path is None:
        return ""
    try:
        return sys.stdin.read() if path in ("-", "/dev/stdin") else Path(str(path)).read_text()
    except OSError as error:
        raise Failed(
            f'unable to read config from "{path}": open {path}: {(error.strerror or "").lower()}'
        ) from None


def _images_of(options: dict[str, object]) -> dict[str, object]:
    text = _document(options)
    if text:
        return for_init(text).cluster
    release = str(options.get("kubernetes-version") or version("kubeadm"))
    if not re.fullmatch(r"v?1\.\d+\.\d+", release):
        raise Failed(f'version "{release}" doesn\'t match patterns for neither semantic version nor labels')
    found = cluster_defaults({"kubernetesVersion": release})
    if options.get("image-repository"):
        found["imageRepository"] = options["image-repository"]
    return found


def _version(form: str) -> str:
    release = version("kubeadm")
    major, minor, _ = release.lstrip("v").split(".")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    info = {
        "buildDate": "1970-01-01T00:00:00Z",
        "compiler": "python",
        "gitCommit": "double",
        "gitTreeState": "clean",
        "gitVersion": release,
        "goVersion": "none",
        "major": major,
        "minor": minor,
        "platform": f"linux/{machine}",
    }
    if form == "short":
        return f"{release}\n"
    if form == "json":
        return json.dumps({"clientVersion": info}, indent=2) + "\n"
    if form == "yaml":
        return yaml.safe_dump({"clientVersion": info})
    if form:
        raise UsageError(f"invalid output format: {form}")
    fields = f'Major:"{major}", Minor:"{minor}", GitVersion:"{release}", Platform:"linux/{machine}"'
    return f"kubeadm version: &version.Info{{{fields}}} ({DOUBLE})\n"


def _token(verb: str, positional: list[str], options: dict[str, object]) -> None:
    if not at(cluster.ADMIN).exists():
        raise Failed(f"failed to load admin kubeconfig: open {cluster.ADMIN}: no such file or directory")
    api = Api.of(str(options.get("kubeconfig") or cluster.ADMIN))
    if verb == "list":
        found = tokens.listed(api)
        if str(options.get("output") or options.get("o") or "") == "json":
            for fields in found:
                token = f"{fields['token-id']}.{fields['token-secret']}"
                told = {
                    "kind": "BootstrapToken",
                    "apiVersion": "output.kubeadm.k8s.io/v1alpha3",
                    "token": token,
                }
                told |= {"expires": fields.get("expiration"), "description": fields.get("description", "")}
                print(json.dumps(told))
        elif found:
            print(tokens.table(found))
        return
    if verb == "delete":
        if not positional:
            raise UsageError('missing argument; "token delete" requires at least one token to delete')
        for name in positional:
            tokens.delete(api, name)
            print(f'bootstrap token "{name.split(".")[0]}" deleted')
        return
    text = _document(options)
    asked = for_init(text).node["bootstrapTokens"] if text else [{}]
    for token in asked:
        if positional:
            token["token"] = positional[0]
        for name in ("ttl", "description"):
            if options.get(name) is not None:
                token[name] = str(options[name])
        for name in ("usages", "groups"):
            if options.get(name):
                token[name] = str(options[name]).split(",")
        tokens.create(api, token_defaults(token))
        if options.get("print-join-command"):
            place = cluster.cluster_configuration(api).get("controlPlaneEndpoint") or api.server.removeprefix(
                "https://"
            )
            print(
                f"kubeadm join {place} --token {token['token']} --discovery-token-ca-cert-hash "
                f"{certs.ca_hash()} "
            )
        else:
            print(token["token"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
