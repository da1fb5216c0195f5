# SPDX-License-Identifier: Apache-2.0
# needs: python3
# quick: yes
# A file that is written in place while another process cuts it short, reads it, writes it.
mkfifo go done
$R /usr/bin/python3 -c '
import os
go, done = open("go"), open("done", "w")
fd = os.open("data", os.O_RDWR | os.O_CREAT, 0o644)
os.write(fd, bytes(4096))
for step in range(4):
    for i in range(200):
        os.pwrite(fd, b"%08d" % i, 800 + 8 * (i % 8))
    print("written", file=done, flush=True)
    go.readline()
    os.pwrite(fd, b"step%04d" % step, 100)
    print(step, os.fstat(fd).st_size, os.pread(fd, 4096, 0).strip(b"\0")[-8:].decode())
print("written", file=done, flush=True)
' &
exec 3> go 4< done
turn() { echo >&3; read -r -u 4 _; }
read -r -u 4 _; tail -c +800 data | tr -d '\0'; echo
truncate -s 10 data; turn
truncate -s 0 data; turn
truncate -s 50000 data; turn
printf other | dd of=data bs=1 seek=8 conv=notrunc status=none; turn
wait; tr -d '\0' < data; echo; wc -c < data
