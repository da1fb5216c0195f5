# SPDX-License-Identifier: Apache-2.0
# needs: tar zstd bzip2 unzip zip cpio
# tar, cpio, zip, bzip2, zstd with threads: archives written and read.
mkdir -p tree/a/b tree/c out
for i in $(seq 300); do seq $i $((i * 37)) > tree/a/f$i; done
ln -s ../a/f1 tree/c/link; ln tree/a/f2 tree/c/hard; mkfifo tree/c/fifo
truncate -s 1M tree/a/sparse; echo end >> tree/a/sparse
chmod 2750 tree/c; chmod 600 tree/a/f3
find tree -exec touch -h -d '2020-02-02 02:02:02' {} +
$R /bin/tar --sort=name --numeric-owner -cf out/a.tar tree
$R /bin/tar -tvf out/a.tar --full-time | $R /usr/bin/md5sum
mkdir x; $R /bin/tar -xpf out/a.tar -C x; diff -r --no-dereference --exclude=fifo tree x/tree; ls -l x/tree/c | md5sum
mkdir s; $R /bin/tar --sparse -cf s.tar tree/a/sparse; $R /bin/tar -xf s.tar -C s; cmp tree/a/sparse s/tree/a/sparse
find tree/a | sort | $R /bin/cpio -o -H newc --reproducible --quiet > a.cpio
mkdir y; (cd y; $R /bin/cpio -idm --quiet < ../a.cpio; diff -r ../tree/a tree/a)
$R /usr/bin/zip -qry a.zip tree/a tree/c/link
mkdir z; $R /usr/bin/unzip -q a.zip -d z; diff -r --no-dereference tree/a z/tree/a; readlink z/tree/c/link
$SRC/make-data 10 > data
$R /bin/bzip2 -k data; $R /bin/bzip2 -dc data.bz2 | cmp - data
$R /usr/bin/zstd -q -T2 data -o data.zst; $R /usr/bin/zstd -q -dc data.zst | cmp - data
$R /usr/bin/zstd -q -t data.zst; zstd -q -dc data.zst | cmp - data
head -c 1000 data.zst > broken.zst; $R /usr/bin/zstd -q -dc broken.zst > /dev/null 2>&1 || echo "zstd: $?"
$R /bin/gzip -t data 2>&1 || echo "gzip: $?"
