# SPDX-License-Identifier: Apache-2.0
# quick: yes
# The tools of coreutils over a tree that the case makes.
mkdir -p tree/a/b tree/c out
for i in $(seq 200); do echo "line $i $((i * 7919 % 1000))" > "tree/a/f$i"; done
ln -s ../a/f1 tree/c/link
ln tree/a/f2 tree/c/hard
chmod 640 tree/a/f3
touch -h -d '2020-02-02 02:02:02' tree/a/f* tree/a/b tree/c/* tree/c tree/a tree
$R /bin/ls -lR tree | sed 's/^total.*//'
$R /bin/cat tree/a/f? | $R /usr/bin/sort -k3n | $R /usr/bin/uniq -c | $R /usr/bin/head -5
seq 100000 | shuf --random-source=<(yes) > numbers
$R /usr/bin/sort -n numbers -o out/sorted
$R /usr/bin/sha256sum out/sorted numbers tree/a/f1
$R /bin/cp -a tree out/copy
$R /bin/cp numbers out/numbers
$R /usr/bin/stat -c '%n %s %a %F %h %Y' tree/a/f1 tree/c/hard tree/c/link tree/a
$R /usr/bin/find tree -type f -name 'f1*' | sort
$R /usr/bin/find tree -newer numbers
$R /usr/bin/wc -l numbers
$R /usr/bin/tr a-z A-Z < tree/a/f1
$R /bin/mv out/numbers out/moved
$R /bin/mkdir -p out/deep/er/est
$R /bin/rmdir out/deep/er/est
$R /bin/rm -r out/deep
$R /usr/bin/du --apparent-size -b numbers
$R /bin/dd if=numbers of=out/dd bs=1000 count=3 status=none
$R /usr/bin/truncate -s 12345 out/truncated
$R /bin/ln -s target out/symlink
$R /usr/bin/readlink -f tree/c/link | sed "s|$PWD|PWD|"
$R /bin/pwd
$R /usr/bin/test -f numbers
$R /bin/false && echo wrong || echo "false: $?"
$R /bin/ls /nonexistent 2>&1 || echo "ls: $?"
$R /usr/bin/tail -n 3 out/sorted
$R /usr/bin/cut -c1-3 out/sorted | $R /usr/bin/md5sum
$R /usr/bin/date -d @0 -u
$R /usr/bin/seq 5 | $R /usr/bin/tac
$R /usr/bin/paste -sd+ <(seq 10)
$R /usr/bin/tee out/tee < tree/a/f1
$R /usr/bin/split -n 3 numbers out/split.
$R /usr/bin/comm -12 <(seq 5) <(seq 3 8)
$R /bin/chmod 600 out/tee
