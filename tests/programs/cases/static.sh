# SPDX-License-Identifier: Apache-2.0
# needs: musl-gcc gcc
# quick: yes
# One program linked with musl and with glibc, statically (at fixed addresses and not) and not.
gcc_() { local out=$1; shift; "$@" -O2 -o $out $SRC/src/static.c -lpthread 2>log || { cat log >&2; return 1; }; }
gcc_ musl musl-gcc -static
gcc_ musl-pie musl-gcc -static-pie
gcc_ glibc gcc -static
gcc_ glibc-pie gcc -static-pie
gcc_ fixed gcc -no-pie
for program in musl musl-pie glibc glibc-pie fixed; do
	$R ./$program || echo "$program: $?"
done
