#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All the set-up: Debian packages, .venv with Python dependencies, build. `make setup` calls it.
#
# Each step looks first whether it is needed, so that the second time takes a second and needs no network. What is
# needed is judged by content (packages present, a hash of pyproject.toml), not by times of files, which git does not keep.
set -eu
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
VENV=.venv
BUILD=build/editable
STAMP=$VENV/hauberk-requirements
POLICY=/usr/sbin/policy-rc.d

say() {
	printf '==> %s\n' "$*"
}

fail() {
	printf 'setup: %s\n' "$*" >&2
	exit 1
}

# One compiler for both halves of the build.
export CC="${CC:-clang-19}"

system_packages() {
	# Compilers and libraries of the build; what the lab boots with; the service of the demonstration.
	wanted="clang-19 llvm-19 libbpf-dev libelf-dev zlib1g-dev qemu-system-x86 nginx-light fcgiwrap"
	if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
		wanted="$wanted python3-venv"
	fi
	if ! "$PYTHON" -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' 2>/dev/null; then
		wanted="$wanted python3-dev"
	fi
	missing=
	for package in $wanted; do
		case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" in
		installed) ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null || fail "not a Debian system; install what these packages hold:$missing"
	[ "$(id -u)" = 0 ] || fail "as root: apt-get install --no-install-recommends$missing"
	say "installing system packages:$missing"
	apt-get update
	# The demonstration starts an nginx and a fcgiwrap of its own; the services that come with the packages shall not
	# run because of us.
	if [ ! -e $POLICY ]; then
		trap 'rm -f $POLICY' EXIT
		trap 'exit 130' INT TERM
		printf '#!/bin/sh\nexit 101\n' >$POLICY
		chmod 755 $POLICY
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 $missing
	command -v systemctl >/dev/null || return 0
	case "$missing" in
	*nginx*) systemctl disable --quiet nginx.service ;;
	esac
	case "$missing" in
	*fcgiwrap*) systemctl disable --quiet fcgiwrap.socket fcgiwrap.service ;;
	esac
}

requirements() {
	# What the environment was made from: with another answer it is brought up to date.
	"$VENV/bin/python" - <<-'END'
		import hashlib, sys, tomllib
		with open("pyproject.toml", "rb") as file:
		    asked = tomllib.load(file)
		with open("scripts/backend.py") as file:
		    text = repr((asked["build-system"], asked["project"], sys.version, file.read()))
		print(hashlib.sha256(text.encode()).hexdigest())
	END
}

environment() {
	if ! "$VENV/bin/python" -c 'import pip' 2>/dev/null; then
		say "making a virtual environment in $VENV"
		"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed"
		"$PYTHON" -m venv --clear "$VENV"
	fi
	[ "$(cat "$STAMP" 2>/dev/null)" != "$(requirements)" ] || return 0
	say "installing Python packages and building"
	export PIP_DISABLE_PIP_VERSION_CHECK=1
	"$VENV/bin/python" - <<-'END' | xargs "$VENV/bin/pip" install
		import tomllib
		with open("pyproject.toml", "rb") as file:
		    print(*(f"'{each}'" for each in tomllib.load(file)["build-system"]["requires"]))
	END
	"$VENV/bin/pip" install --no-build-isolation -e '.[dev]'
	requirements >"$STAMP"
}

build() {
	if [ ! -f $BUILD/build.ninja ] || [ ! -e hauberk/automaton/_core.abi3.so ] ||
		[ ! -e hauberk/kernel/_shim.abi3.so ] || [ ! -e hauberk/bpf/hauberk.bpf.o ] ||
		[ ! -e hauberk/bpf/syscalls.bpf.o ] || [ ! -e hauberk/api/feeder_pb2.py ]; then
		say "building"
		"$VENV/bin/pip" install -q --no-build-isolation --no-deps -e .
	elif ! "$VENV/bin/ninja" -C $BUILD -n | grep -q 'no work to do'; then
		say "building"
		"$VENV/bin/ninja" -C $BUILD
	fi
}

mkdir -p build
# One at a time: two shells that build in one directory would trip over each other.
exec 9>build/setup.lock
flock 9
system_packages
# meson and ninja are those of the environment.
PATH=$PWD/$VENV/bin:$PATH
environment
build
