# SPDX-License-Identifier: Apache-2.0
# needs: openssl curl
# quick: yes
# openssl: keys, digests, ciphers; a TLS server and client, natively at the other end.
$SRC/make-data 3 > data
$R /usr/bin/openssl genrsa -out key.pem 2048 2>/dev/null
$R /usr/bin/openssl rsa -in key.pem -check -noout
$R /usr/bin/openssl req -x509 -new -key key.pem -out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost
$R /usr/bin/openssl verify -CAfile cert.pem cert.pem
$R /usr/bin/openssl dgst -sha512 data
$R /usr/bin/openssl enc -aes-256-gcm -e -k x -in data -out x 2>/dev/null || echo "no such cipher here: $?"
$R /usr/bin/openssl enc -aes-256-ctr -pbkdf2 -pass pass:x -in data -out data.enc
$R /usr/bin/openssl enc -d -aes-256-ctr -pbkdf2 -pass pass:x -in data.enc | cmp - data
$R /usr/bin/openssl dgst -sha256 -sign key.pem -out sig data
openssl dgst -sha256 -prverify key.pem -signature sig data
$R /usr/bin/openssl rand 1000 | wc -c
$R /usr/bin/openssl speed -seconds 1 -bytes 4096 -evp sha256 2>/dev/null | grep -c sha256
start $R /usr/bin/openssl s_server -accept 127.0.0.1:$PORT -cert cert.pem -key key.pem -WWW -quiet
await_tcp $PORT
curl -sS --cacert cert.pem https://localhost:$PORT/data -o got; cmp got data
printf 'GET /data HTTP/1.0\r\n\r\n' > request
$R /usr/bin/openssl s_client -quiet -CAfile cert.pem -verify_return_error -ign_eof -connect localhost:$PORT < request 2>/dev/null | tail -c 3145728 | cmp - data
stop ${started[0]} || echo "server: $?"
