# SPDX-License-Identifier: Apache-2.0
# needs: curl openssl in.tftpd
# curl: HTTP, HTTPS, TFTP, uploads, a resolved name, errors.
mkdir -p www out
$SRC/make-data 20 > www/large
echo hello > www/small
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
start python3 $SRC/http-server www $PORT
start python3 $SRC/http-server www $((PORT + 1)) cert.pem key.pem
await_tcp $PORT; await_tcp $((PORT + 1))
$R /usr/bin/curl -sS http://127.0.0.1:$PORT/small
$R /usr/bin/curl -sS http://localhost:$PORT/large -o out/large
$R /usr/bin/curl -sS --cacert cert.pem https://localhost:$((PORT + 1))/large | sha256sum
$R /usr/bin/curl -sS https://localhost:$((PORT + 1))/small 2>&1 | grep '^curl' | head -n 1 || true
$R /usr/bin/curl -sS --data-binary @www/large http://127.0.0.1:$PORT/echo-length; echo
$R /usr/bin/curl -sS -w '%{http_code}\n' -o /dev/null http://127.0.0.1:$PORT/missing
$R /usr/bin/curl -sS http://127.0.0.1:1/ 2>&1 | sed 's/after [0-9]* ms/after N ms/' || true
$R /usr/bin/curl -sS http://no-such-host.invalid/ 2>&1 || echo "status $?"
$R /usr/bin/curl -sS -Z http://127.0.0.1:$PORT/small http://127.0.0.1:$PORT/small
$R /usr/bin/curl -sS file:///etc/hostname | wc -l
if [ "$(id -u)" = 0 ]; then
	chmod 755 . www; chmod 644 www/*
	start in.tftpd -L -s -a 127.0.0.1:$((PORT + 2)) -p -u root "$PWD/www"
	sleep 0.3
	$R /usr/bin/curl -sS tftp://127.0.0.1:$((PORT + 2))/large --tftp-blksize 1400 | sha256sum
fi
