# SPDX-License-Identifier: Apache-2.0
# needs: iperf3
# timeout: 180
# iperf3 as server and as client, TCP and UDP, both directions: data moves, no errors.
summary() { python3 -c '
import json, sys
r = json.load(sys.stdin)
if "error" in r: print("error", r["error"])
e = r["end"]
if "sum_sent" in e: print("tcp moved", e["sum_sent"]["bytes"] > 1e6 and e["sum_received"]["bytes"] > 1e6)
else: print("udp moved", e["sum"]["packets"] > 100, "lost under half", e["sum"]["lost_percent"] < 50)'; }
# The server takes one test at a time, and may still be busy with the one before, or with the
# connection that showed that it is up.
measure() {
	local i
	for i in $(seq 20); do
		"$@" -J >result || true
		grep -q '"error"' result || break
		sleep 0.2
	done
	summary <result
}
start $R /usr/bin/iperf3 -s -p $PORT
await_tcp $PORT
for options in "" "-R" "-P 4" "-u -b 50M" "-u -b 50M -R" "-u -b 20M -l 64"; do
	echo "server under test, client $options"
	measure iperf3 -c 127.0.0.1 -p $PORT -t 1 $options
done
stop_all
start iperf3 -s -p $PORT
await_tcp $PORT
for options in "" "-R" "-u -b 50M" "-u -b 50M -R" "-C cubic -M 1400"; do
	echo "client under test $options"
	measure $R /usr/bin/iperf3 -c 127.0.0.1 -p $PORT -t 1 $options
done
