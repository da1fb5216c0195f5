# SPDX-License-Identifier: Apache-2.0
# needs: redis-server redis-cli redis-benchmark
# quick: all
# redis-server with persistence; redis-cli and redis-benchmark, native and under test.
start $R /usr/bin/redis-server --port $PORT --bind 127.0.0.1 --save "" --appendonly yes --dir "$PWD" --io-threads 2
server=${started[-1]}
await_tcp $PORT
cli() { redis-cli -p $PORT "$@"; }
$R /usr/bin/redis-cli -p $PORT ping
cli set k v
cli mset a 1 b 2 c 3
cli incrby a 41
cli rpush list x y z >/dev/null; cli lrange list 0 -1
cli eval 'return redis.call("get", KEYS[1]) .. "!"' 1 k
head -c 300000 /dev/zero | cli -x set big; cli strlen big
redis-benchmark -p $PORT -n 20000 -c 50 -q -t ping,set,get >/dev/null && echo benchmark
redis-benchmark -p $PORT -n 20000 -c 50 -P 16 -q -t set,get >/dev/null && echo pipelined
$R /usr/bin/redis-benchmark -p $PORT -n 5000 -c 20 -q -t set,get >/dev/null && echo benchmark under test
cli dbsize
cli config get appendonly
cli shutdown nosave || true
wait "$server" && echo "exit 0"; started=()
start $R /usr/bin/redis-server --port $PORT --bind 127.0.0.1 --save "" --appendonly yes --dir "$PWD"
await_tcp $PORT
await bash -c "[ \$(redis-cli -p $PORT get k) = v ]"
cli get k; cli get a; cli strlen big
status=0; stop "${started[-1]}" || status=$?
echo "after SIGTERM: $status"
