# SPDX-License-Identifier: Apache-2.0
# quick: yes
# A bash script of builtins only: loops, arrays, arithmetic, traps, here documents, files.
mkdir out
cat > script <<'END'
declare -A count
for ((i = 0; i < 20000; i++)); do ((count[$((i % 7))] += i)); done
for k in 0 1 2 3 4 5 6; do echo "$k ${count[$k]}"; done
fib() { local a=0 b=1 i; for ((i = 0; i < $1; i++)); do ((t = a + b, a = b, b = t)); done; printf -v REPLY %d "$a"; }
fib 80; echo "fib $REPLY"
while IFS=: read -r name _ uid _; do [[ $uid = 0 ]] && echo "root is $name"; done < /etc/passwd
mapfile -t lines < /etc/passwd; echo "${#lines[@]} lines"
printf '%s\n' {a..e} > out/letters
exec 3< out/letters; read -r -u 3 first; echo "first $first"; exec 3<&-
[[ -d out && -w out && ! -e out/nothing ]] && echo tests
cd out; echo "${PWD##*/}"; cd ..
shopt -s nullglob; echo out/*
trap 'echo usr1' USR1; kill -USR1 $$; trap 'echo bye' EXIT
read -r -t 0.2 x < <(:) || echo "read ended"
str=hello; echo "${str^^} ${str:1:3} ${str/l/L} ${#str}"
[[ 2026-11-22 =~ ^([0-9]+)-([0-9]+) ]] && echo "${BASH_REMATCH[2]}"
umask 027; : > out/mode
echo "pid $(($$ > 0 )) seconds $(( SECONDS < 60 ))" || true
nope 2>/dev/null || echo "status $?"
exit 5
END
sed -i '/<(:)/d; /nope/d' script
status=0
$R /bin/bash script || status=$?
echo "status $status"
$R /bin/bash -c 'echo "$0 $1 $#"' name one two
echo 'echo from stdin' | $R /bin/bash
