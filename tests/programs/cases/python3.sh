# SPDX-License-Identifier: Apache-2.0
# quick: yes
# python3: threads, sockets, selectors, sqlite3, asyncio, signal handlers, mmap, files.
mkdir out
status=0
$R /usr/bin/python3 $SRC/python/everything.py || status=$?
echo "status $status"
$R /usr/bin/python3 -c 'import sys; print(sys.version_info[:2], sys.argv)' a b
echo 'print(6 * 7)' | $R /usr/bin/python3 -
$R /usr/bin/python3 -c 'raise SystemExit(9)' || echo "exit $?"
$R /usr/bin/python3 -c 'import os, signal; os.kill(os.getpid(), signal.SIGTERM)' || echo "exit $?"
