# SPDX-License-Identifier: Apache-2.0
# needs: memcached memcslap
# memcached -t 4 over TCP, UDP and a UNIX socket; memcslap as load.
start $R /usr/bin/memcached -t 4 -l 127.0.0.1 -p $PORT -U $PORT -u nobody -m 64
await_tcp $PORT
exec 3<>/dev/tcp/127.0.0.1/$PORT
printf 'set key 0 0 5\r\nhello\r\nget key\r\nincr key 1\r\ndelete key\r\nget key\r\nverbosity 1\r\nquit\r\n' >&3
tr -d '\r' <&3
exec 3<&-
memcslap --servers=127.0.0.1:$PORT --concurrency=8 --execute-number=500 --test=set >/dev/null && echo set
memcslap --servers=127.0.0.1:$PORT --concurrency=8 --execute-number=500 --test=get --initial-load=1000 >/dev/null && echo get
memcslap --udp --servers=127.0.0.1:$PORT --concurrency=2 --execute-number=200 --test=set >/dev/null && echo udp
printf 'stats\r\nquit\r\n' | bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT; cat >&3; cat <&3" | grep -E 'STAT threads ' | tr -d '\r' || true
kill -TERM "${started[-1]}"
status=0; wait "${started[-1]}" || status=$?; echo "after SIGTERM: $status"; started=()
chmod 777 .
start $R /usr/bin/memcached -s "$PWD/sock" -u nobody
await test -S sock
timeout 5 python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect("sock"); s.send(b"version\r\n"); print(s.recv(100).split()[0])'
