# SPDX-License-Identifier: Apache-2.0
# What the examples share: a manifest from a recorded run, an enclave signed by it, and the same
# work done there. An example sets `port`, defines exercise (the client's work, which also tells
# whether it went well), and calls serve PROGRAM ARGS... or once PROGRAM ARGS...
#
#	examples/NAME/run		until Ctrl-C
#	examples/NAME/run --test	once
#
# RAKIS: the command. PORT: the server's port. WORK: where manifest and data go.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
name=$(basename "$here")
rakis=${RAKIS:-$here/../../build/rakis}
[ -x "$rakis" ] || rakis=$(command -v rakis) || { echo "$name: no rakis: make it first, or set RAKIS" >&2; exit 1; }
work=${WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/rakis/examples/$name}
mkdir -p "$work"
work=$(cd "$work" && pwd -P)
cd "$work"
sgx=--sgx=emulate
[ ! -w /dev/sgx_enclave ] || sgx=--sgx

need() {	# PROGRAM: its absolute path
	PATH=$PATH:/usr/sbin command -v "$1" || { echo "$name: $1 is not installed" >&2; exit 77; }
}

say() {
	echo "== $*" >&2
}

ended() {
	[ -z "${server:-}" ] || kill "$server" 2>/dev/null || :
	wait
}
trap ended EXIT

start() {	# COMMAND...: in the background; returns when it serves
	local try
	"$@" &
	server=$!
	for ((try = 0; try < 300; try++)); do
		! exercise >/dev/null 2>&1 || return 0
		kill -0 $server 2>/dev/null || break
		sleep 0.1
	done
	echo "$name: the server does not serve" >&2
	exit 1
}

stop() {
	kill "$server"
	wait "$server" || :
	server=
}

serve() {
	rm -f rakis.yaml
	say "recording a run: rakis init -- $*"
	start "$rakis" init -- "$@"
	stop
	say "rakis sign rakis.yaml"
	"$rakis" sign rakis.yaml
	say "rakis run $sgx --manifest rakis.yaml"
	start "$rakis" run "$sgx" --manifest rakis.yaml
	exercise
	if [ "${mode:-}" = --test ]; then
		stop
	else
		say "serves on port $port; Ctrl-C ends it"
		wait "$server" || :
	fi
}

once() {	# [--root DIR] PROGRAM ARGS...
	rm -f rakis.yaml
	say "recording a run: rakis init $*"
	"$rakis" init "$@" >/dev/null
	say "rakis sign rakis.yaml"
	"$rakis" sign rakis.yaml
	say "rakis run $sgx --manifest rakis.yaml"
	"$rakis" run "$sgx" --manifest rakis.yaml
}
mode=${1:-}
