# SPDX-License-Identifier: Apache-2.0
# needs: lighttpd haproxy curl
# lighttpd behind haproxy with threads, both under test: files, ranges, errors, uploads, load.
mkdir www out
$SRC/make-data 5 > www/large
echo hello > www/small
cat > lighttpd.conf <<END
server.document-root = "$PWD/www"
server.bind = "127.0.0.1"
server.port = $PORT
index-file.names = ( "small" )
END
cat > haproxy.cfg <<END
global
	nbthread 2
defaults
	mode http
	timeout connect 5s
	timeout client 20s
	timeout server 20s
listen front
	bind 127.0.0.1:$((PORT + 1))
	http-response set-header x-front yes
	server back 127.0.0.1:$PORT
END
start $R /usr/sbin/lighttpd -D -f lighttpd.conf
await_tcp $PORT
start $R /usr/sbin/haproxy -db -f haproxy.cfg
await_tcp $((PORT + 1))
for base in http://127.0.0.1:$PORT http://127.0.0.1:$((PORT + 1)); do
	curl -sS $base/small
	curl -sS $base/
	curl -sS $base/large | cmp - www/large
	curl -sS -r 1000-1999 $base/large | md5sum
	curl -sS -o /dev/null -w '%{http_code}\n' $base/missing
	curl -sS -o /dev/null -w '%{http_code}\n' -X POST --data-binary @www/large $base/small
	curl -sS -I $base/small | grep -i -c 'x-front' || true
	seq 200 | xargs -P 8 -n 25 sh -c 'for i; do curl -sS "$0/small"; done' $base | sort | uniq -c
done
stop ${started[1]} || echo "haproxy: $?"
# Its status depends on how its last connection ended.
stop ${started[0]} || true
