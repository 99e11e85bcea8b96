#!/bin/sh
# Obtain the servers that tests run for themselves: Debian's rabbitmq-server with its Erlang, and nginx.
#
# The packages are downloaded and unpacked into .venv/servers; nothing is installed. So no service
# is started or stopped, no user, cron job or boot entry appears, a server that is installed or
# running is not touched, and `make clean` removes all of it. apt keeps its own lists and downloads in
# .venv as well: the machine's package lists stay as they are, and root is not needed.
#
# Quick when they are already there. Where there is no apt, or it cannot download, this says in one
# line how to get each and ends well: tests that need it skip then, or fail where
# CONNECTOR_REQUIRE_SERVERS=1.
set -eu
cd "$(dirname "$0")/../.."

home=$PWD/.venv/servers
work=$home/unpacking.$$
trap 'rm -rf "$work"' EXIT

private_apt() {
    DEBIAN_FRONTEND=noninteractive timeout 600 apt-get -qq \
        -o Dir::State="$work" -o Dir::State::status="$work/status" \
        -o Dir::Cache="$work" -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Acquire::Retries=3 "$@"
}

prepare() { # once, and only where something is to be downloaded
    [ ! -d "$work" ] || return 0
    mkdir -p "$work/lists/partial" "$work/archives/partial"
    : >"$work/status" # as if nothing were installed: the copy is complete whatever the machine has
    private_apt update
}

wanted() { # PACKAGE: it, what belongs to it, and libraries that this machine does not have
    private_apt install --no-install-recommends --print-uris "$1" |
        sed -n "s/^'[^']*' \([^_ ]*\)_.*/\1/p" |
        while read -r name; do
            case $name in
            rabbitmq-server | erlang-* | nginx | nginx-*) echo "$name" ;;
            lib*) dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' ||
                echo "$name" ;;
            esac
        done
}

unpack() { # PACKAGE TARGET
    prepare && packages=$(wanted "$1") && [ -n "$packages" ] || return 1
    rm -rf "$work/debs" "$work/root"
    mkdir -p "$work/debs" "$work/root"
    # shellcheck disable=SC2086  # a list of names
    (cd "$work/debs" && private_apt download $packages) || return 1
    for package in "$work"/debs/*.deb; do
        dpkg-deb -x "$package" "$work/root" || return 1
    done
    # Debian's Erlang looks for itself in /usr/lib, whatever it is told.
    [ ! -d "$work/root/usr/lib/erlang" ] ||
        grep -rlI --include=erl --include=start --include=start_erl 'ROOTDIR=/usr/lib/erlang' \
            "$work/root/usr/lib/erlang" | while read -r script; do
            sed -i "s|ROOTDIR=/usr/lib/erlang|ROOTDIR='$2/usr/lib/erlang'|" "$script"
        done
}

obtain() { # NAME PACKAGE PROGRAM HOW
    target=$home/$1
    log=$home/$1.log
    # The path is part of the mark: the unpacked Erlang knows where it lives.
    [ "$(cat "$target/.complete" 2>/dev/null)" != "$target" ] || return 0
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        echo "no $1 for tests: $4"
        return 0
    fi
    mkdir -p "$home"
    if ! unpack "$2" "$target" >"$log" 2>&1 || [ ! -e "$work/root/$3" ]; then
        echo "no $1 for tests (apt: $log): $4"
        return 0
    fi
    rm -rf "$target" "$log"
    mv "$work/root" "$target"
    echo "$target" >"$target/.complete"
    echo "$1 for tests: $target"
}

[ -n "${CONNECTOR_RABBITMQ_BIN:-}" ] ||
    obtain rabbitmq rabbitmq-server usr/lib/rabbitmq/bin/rabbitmq-server \
        "install rabbitmq-server (3.10 or newer), or set CONNECTOR_RABBITMQ_BIN to a RabbitMQ's sbin folder"
[ -n "${CONNECTOR_NGINX:-}" ] ||
    obtain nginx nginx usr/sbin/nginx "install nginx, or set CONNECTOR_NGINX to its program"
