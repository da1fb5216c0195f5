# SPDX-License-Identifier: Apache-2.0
# needs: lua5.4 gawk jq bc ed dash mawk
# quick: yes
# Small interpreters and editors.
mkdir out; seq 1000 > numbers
$R /usr/bin/lua5.4 -e 'local f = io.open("out/lua", "w+b"); f:setvbuf("full")
	for i = 1, 1000 do f:write(i, "\n") end f:seek("set", 0) print(f:read("n", "l", "L"))
	local n = 0 for l in f:lines() do n = n + #l end print(n) f:close()
	print(os.rename("out/lua", "out/lua2")) print(os.remove("nothing")) print(io.open("out"):read(1))
	local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) print(co(), co(), co())'
$R /usr/bin/gawk '{ s += $1; n[$1 % 7]++ } END { print s; for (i = 0; i < 7; i++) print i, n[i];
	while ((getline line < "/etc/passwd") > 0) users++; print users > 0; print strftime("%F", 0, 1) }' numbers
$R /usr/bin/mawk -F: '$3 == 0 { print $1 | "cat" } END { print NR > 0 }' /dev/null
$R /usr/bin/jq -nc '[range(10)] | map(. * .) | {sum: add, max: max, text: (map(tostring) | join("-"))}'
echo '{"a": [1, 2, {"b": null}], "c": "\u00e9"}' | $R /usr/bin/jq -S .
echo '2 ^ 200; scale = 30; 4 * a(1); define f(n) { if (n < 2) return n; return f(n - 1) + f(n - 2) }; f(15)' | $R /usr/bin/bc -l
cp numbers out/edited; printf '1,3p\n5s/$/ five/\n7,990d\nw\nq\n' | $R /bin/ed -s out/edited
$R /bin/sed -i.bak -e 's/9/nine/g' -e '2,3d' -e '$a last' out/edited; tail -n 3 out/edited
$R /bin/grep -c 7 numbers; $R /bin/grep -rlE '^99+$' numbers out | sort; $R /bin/grep -q nothing numbers || echo "grep: $?"
cat > script <<'END'
set -- a b c; for x; do echo "$x"; done; i=0; while [ $i -lt 5 ]; do i=$((i + 1)); done; echo $i
read first rest < numbers; echo "$first"; cd out; echo *; cd ..; trap 'echo hup' HUP; kill -HUP $$; umask; exec 4> out/dash; echo text >&4
case $first in 1) echo one ;; esac; test -w out && echo writable; trap 'echo end' EXIT; exit 3
END
$R /bin/dash script || echo "dash: $?"
