#!/bin/sh
# Obtain the servers that tests run for themselves: Debian's rabbitmq-server with its Erlang.
#
# The packages are downloaded and unpacked into .venv/servers; nothing is installed. So no service
# is started or stopped, no user, cron job or boot entry appears, a RabbitMQ or Erlang that is
# installed or running is not touched, and `make clean` removes all of it. apt keeps its own lists
# and downloads in .venv as well: the machine's package lists stay as they are, and root is not
# needed.
#
# Quick when it is already there. Where there is no apt, or it cannot download, this says in one
# line how to get a RabbitMQ and ends well: tests that need it skip then, or fail where
# CONNECTOR_REQUIRE_SERVERS=1.
set -eu
cd "$(dirname "$0")/../.."

home=$PWD/.venv/servers
target=$home/rabbitmq
how="install Debian's or Ubuntu's rabbitmq-server (3.10 or newer), or set CONNECTOR_RABBITMQ_BIN to a RabbitMQ's sbin folder"

# The path is part of the mark: the unpacked Erlang knows where it lives.
mark=$target/.complete
if [ "$(cat "$mark" 2>/dev/null)" = "$target" ]; then
    exit 0
fi
if [ -n "${CONNECTOR_RABBITMQ_BIN:-}" ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "no RabbitMQ for tests: $how"
    exit 0
fi

work=$home/unpacking.$$
log=$home/rabbitmq.log
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/root"
: >"$work/status" # as if nothing were installed: the copy is complete whatever the machine has

private_apt() {
    DEBIAN_FRONTEND=noninteractive timeout 600 apt-get -qq \
        -o Dir::State="$work" -o Dir::State::status="$work/status" \
        -o Dir::Cache="$work" -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Acquire::Retries=3 "$@"
}

wanted() { # the server and its Erlang, and libraries that this machine does not have
    private_apt install --no-install-recommends --print-uris rabbitmq-server |
        sed -n "s/^'[^']*' \([^_ ]*\)_.*/\1/p" |
        while read -r name; do
            case $name in
            rabbitmq-server | erlang-*) echo "$name" ;;
            lib*) dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' ||
                echo "$name" ;;
            esac
        done
}

unpack() {
    private_apt update && packages=$(wanted) && [ -n "$packages" ] || return 1
    # shellcheck disable=SC2086  # a list of names
    (cd "$work/archives" && private_apt download $packages) || return 1
    for package in "$work"/archives/*.deb; do
        dpkg-deb -x "$package" "$work/root" || return 1
    done
    # Debian's Erlang looks for itself in /usr/lib, whatever it is told.
    grep -rlI --include=erl --include=start --include=start_erl 'ROOTDIR=/usr/lib/erlang' \
        "$work/root/usr/lib/erlang" | while read -r script; do
        sed -i "s|ROOTDIR=/usr/lib/erlang|ROOTDIR='$target/usr/lib/erlang'|" "$script"
    done
}

if ! unpack >"$log" 2>&1; then
    echo "no RabbitMQ for tests (apt: $log): $how"
    exit 0
fi
rm -rf "$target"
mv "$work/root" "$target"
echo "$target" >"$mark"
rm -f "$log"
echo "RabbitMQ for tests: $target"
