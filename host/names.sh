#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Names for statistics, as C: of system calls from the kernel's header, of opcodes from
# boundary/request.h.  names.sh REQUEST_H COMPILER...
request_h=$1
shift
echo 'static const char *const syscall_names[RAKIS_STATS_SYSCALLS] = {'
echo '#include <asm/unistd_64.h>' | "$@" -E -dM - |
	awk '/^#define __NR_/ && $3 ~ /^[0-9]+$/ && $3 < 512 { printf "\t[%s] = \"%s\",\n", $3, substr($2, 6) }'
echo '};'
echo 'static const char *const opcode_names[RAKIS_STATS_OPCODES] = {'
awk 'match($0, /^\tRAKIS_OP_[A-Z0-9_]+/) {
	name = substr($0, 2, RLENGTH - 1)
	if (name != "RAKIS_OP_OWN" && name != "RAKIS_OP_END")
		printf "\t[%s] = \"%s\",\n", name, tolower(substr(name, 10))
}' "$request_h"
echo '};'
