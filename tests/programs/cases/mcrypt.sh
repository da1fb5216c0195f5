# SPDX-License-Identifier: Apache-2.0
# needs: mcrypt
# mcrypt round trip.
$SRC/make-data 20 > data
cp data original
$R /usr/bin/mcrypt -q -k secret -a rijndael-128 -m cbc --noiv data
rm data
[ -s data.nc ] && echo encrypted
$R /usr/bin/mcrypt -q -d -k secret -a rijndael-128 -m cbc --noiv data.nc
cmp data original && echo round trip
mcrypt -q -d -k secret -a rijndael-128 -m cbc --noiv -F < data.nc | cmp - original && echo decrypted natively
