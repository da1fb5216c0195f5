# SPDX-License-Identifier: Apache-2.0
# needs-root: debian13
# Programs of a Debian 13 root: another libc, another python3, another curl.
mkdir -p www
$SRC/make-data 5 > www/large
echo hello > www/small
start python3 $SRC/http-server www $PORT
await_tcp $PORT
# Natively a chroot; under test --root.
in_root() {
	if [ -n "$R" ]; then
		${R%--*} --root "$DEB13" -- "$@"
	else
		chroot "$DEB13" "$@"
	fi
}
in_root /usr/bin/curl --version | head -n 1
in_root /usr/bin/curl -sS http://127.0.0.1:$PORT/large | sha256sum
in_root /usr/bin/curl -sS http://127.0.0.1:$PORT/small
in_root /usr/bin/python3 -c 'import sys, os, threading, json; print(sys.version_info[:2], os.path.exists("/etc/debian_version"), json.dumps([1]))
t = threading.Thread(target=lambda: print("thread")); t.start(); t.join()'
in_root python3 -c 'import asyncio; asyncio.run(asyncio.sleep(0.01)); print("asyncio")'
in_root /bin/cat /etc/debian_version
in_root /usr/bin/sha256sum /usr/bin/python3
in_root /bin/ls / | grep -v '^\(proc\|sys\|dev\)$'
in_root /bin/busybox echo static busybox
in_root /bin/sh -c 'echo $0 $PWD; cd /usr; pwd'
