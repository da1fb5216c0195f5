#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Names of all x86-64 system calls, as rows of a C array: [number] = "name".
# Usage: syscall-names.sh UNISTD_64_H
sed -n 's/^#define __NR_\([a-z0-9_]*\)[[:space:]]*\([0-9][0-9]*\)$/[\2] = "\1",/p' "$1"
