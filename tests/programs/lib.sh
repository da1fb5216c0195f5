# SPDX-License-Identifier: Apache-2.0
# Functions for cases/. Sourced before each case.

started=()

# start COMMAND...: run in the background; ended by stop_all (also at exit). Output to ./log.
start() {
	"$@" >>log 2>&1 &
	started+=($!)
}

# stop PID...: SIGTERM, then wait; its exit status.
stop() {
	local status=0
	kill -TERM "$1" 2>/dev/null || true
	wait "$1" || status=$?
	return $status
}

stop_all() {
	local pid
	for pid in "${started[@]}"; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	for pid in "${started[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	started=()
}
trap stop_all EXIT

# await COMMAND...: until it succeeds, 20 s at most.
await() {
	local i
	for i in $(seq 200); do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		sleep 0.1
	done
	echo "await: no success: $*" >&2
	[ ! -e log ] || tail -n 20 log >&2
	return 1
}

# await_tcp PORT: until something accepts connections there.
await_tcp() {
	await bash -c "exec 3<>/dev/tcp/127.0.0.1/$1"
}
