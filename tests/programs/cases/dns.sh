# SPDX-License-Identifier: Apache-2.0
# needs: dig unbound
# A DNS server with threads, and a client: UDP and TCP, many questions at once.
cat > unbound.conf <<END
server:
	interface: 127.0.0.1@$PORT
	do-daemonize: no
	username: ""
	chroot: ""
	pidfile: ""
	use-syslog: no
	directory: "$PWD"
	num-threads: 2
	module-config: "iterator"
	local-zone: "test." static
	local-data: "a.test. A 192.0.2.1"
	local-data: "a.test. AAAA 2001:db8::1"
	local-data: "t.test. TXT 'some text'"
$(for i in $(seq 200); do echo "	local-data: \"n$i.test. A 192.0.2.$((i % 250))\""; done)
remote-control:
	control-enable: no
END
start $R /usr/sbin/unbound -d -c unbound.conf
await_tcp $PORT
dig="$R /usr/bin/dig @127.0.0.1 -p $PORT"
$dig +short a.test
$dig +short a.test AAAA
$dig +tcp +short t.test TXT
$dig +noall +comments nothing.test | grep -o 'status: [A-Z]*'
$dig +short +keepopen +tcp n1.test n2.test n3.test
seq -f 'n%g.test' 200 > names
$dig +short -f names | sort | uniq -c | sort -n | tail -n 3
dig @127.0.0.1 -p $PORT +short -f names | md5sum
$R /usr/bin/dig @127.0.0.1 -p $((PORT + 1)) +tries=1 +timeout=1 a.test | grep -c 'no servers\|refused' || true
stop ${started[0]} || echo "unbound: $?"
