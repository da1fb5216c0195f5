# SPDX-License-Identifier: Apache-2.0
# needs: nginx curl openssl
# nginx serving small and large files, ranges, errors, HTTPS, in one process.
mkdir -p www logs out
echo hello > www/index.html
$SRC/make-data 100 > www/large
seq 1000 > www/numbers
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost 2>/dev/null
cat > nginx.conf <<END
daemon off; master_process off; pid $PWD/nginx.pid; error_log $PWD/logs/error.log;
events { worker_connections 512; }
http {
  access_log $PWD/logs/access.log; sendfile on;
  client_body_temp_path $PWD/t1; proxy_temp_path $PWD/t2; fastcgi_temp_path $PWD/t3; uwsgi_temp_path $PWD/t4; scgi_temp_path $PWD/t5;
  server { listen 127.0.0.1:$PORT; root $PWD/www; location /sub/ { return 302 /index.html; } }
  server { listen 127.0.0.1:$((PORT + 1)) ssl; ssl_certificate $PWD/cert.pem; ssl_certificate_key $PWD/key.pem; root $PWD/www; }
}
END
start $R /usr/sbin/nginx -p "$PWD" -c "$PWD/nginx.conf"
await_tcp $PORT
u=http://127.0.0.1:$PORT
curl -sS $u/
curl -sS $u/large | sha256sum
curl -sS -r 100-199 $u/numbers | sha256sum
curl -sS -o /dev/null -w '%{http_code}\n' $u/missing
curl -sS -o /dev/null -w '%{http_code} %{redirect_url}\n' $u/sub/ | sed "s/$PORT/PORT/"
curl -sSk https://127.0.0.1:$((PORT + 1))/large | sha256sum
for i in $(seq 20); do curl -sS $u/numbers -o /dev/null -w '%{size_download} '; done; echo
seq 100 | xargs -P 8 -I{} curl -sS $u/numbers -o /dev/null -w '%{http_code}\n' | sort | uniq -c
wc -l < logs/access.log
status=0; stop "${started[-1]}" || status=$?; echo "after SIGTERM: $status"
grep -c '\[\(crit\|alert\|emerg\)\]' logs/error.log || true
