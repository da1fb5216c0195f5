/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz the first line of scripts: the interpreter and its argument come from inside the line. */
#include "enclave/elf/loader.c"

#include <stdlib.h>

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check_word(const char *line, size_t n, const char *s)
{
	CHECK(s > line + 1 && s < line + n && *s && !is_blank(*s));
	CHECK(strlen(s) < n && s + strlen(s) <= line + n);
	CHECK(!strchr(s, '\n'));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *line = calloc(1, SCRIPT_LINE + 1), *name, *arg;
	size_t n = min(size + 2, (size_t)SCRIPT_LINE);

	memcpy(line, "#!", 2);
	memcpy(line + 2, data, n - 2);
	if (parse_script(line, n, &name, &arg)) {
		check_word(line, n, name);
		CHECK(!strchr(name, ' ') && !strchr(name, '\t'));
		if (arg) {
			check_word(line, n, arg);
			CHECK(arg > name + strlen(name));
			/* As on Linux, a NUL in the line cuts it after the blanks at its end were. */
			CHECK(memchr(data, 0, size) || !is_blank(arg[strlen(arg) - 1]));
		}
	}
	free(line);
	return 0;
}
