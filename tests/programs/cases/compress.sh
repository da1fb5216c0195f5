# SPDX-License-Identifier: Apache-2.0
# timeout: 240
# gzip and xz round trips on 100 MB.
mkdir out
$SRC/make-data 100 > data
sum=$(sha256sum < data)
$R /bin/gzip -1 -k data
[ "$($R /bin/gzip -dc data.gz | sha256sum)" = "$sum" ] && echo gzip round trip
gzip -dc data.gz | cmp - data
rm data.gz
$R /usr/bin/xz -0 -k data
[ "$($R /usr/bin/xz -dc data.xz | sha256sum)" = "$sum" ] && echo xz round trip
xz -dc data.xz | cmp - data
$R /usr/bin/xz -l --robot data.xz | cut -f 1-5 | tail -n 1
