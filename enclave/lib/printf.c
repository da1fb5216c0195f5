/* SPDX-License-Identifier: Apache-2.0 */
/* snprintf with the conversions that lib/string.h lists. */
#include "lib/string.h"

struct out {
	char *dst;
	size_t size, n;		/* n: what would have been written */
};

static void emit(struct out *o, char c)
{
	if (o->n + 1 < o->size)
		o->dst[o->n] = c;
	o->n++;
}

static void emit_padded(struct out *o, const char *s, size_t n, int width, bool left)
{
	int pad = width > (int)n ? width - (int)n : 0;

	for (int i = left ? 0 : pad; i; i--)
		emit(o, ' ');
	while (n--)
		emit(o, *s++);
	for (int i = left ? pad : 0; i; i--)
		emit(o, ' ');
}

struct number {
	u64 value;
	unsigned int base;
	bool negative, zero_pad, left, upper;
	const char *prefix;
	int width, precision;
};

static void emit_number(struct out *o, const struct number *m)
{
	const char *set = m->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	size_t prefix = strlen(m->prefix);
	char text[88];
	size_t at = sizeof(text), least = 1;
	u64 v = m->value;

	if (m->precision >= 0)
		least = (size_t)m->precision;
	else if (m->zero_pad && !m->left && m->width > (int)prefix + m->negative)
		least = (size_t)m->width - prefix - m->negative;
	least = min(least, sizeof(text) - 8);
	for (; v; v /= m->base)
		text[--at] = set[v % m->base];
	while (sizeof(text) - at < least)
		text[--at] = '0';
	while (prefix)
		text[--at] = m->prefix[--prefix];
	if (m->negative)
		text[--at] = '-';
	emit_padded(o, text + at, sizeof(text) - at, m->width, m->left);
}

static int parse_int(const char **fmt, va_list *ap)
{
	int n = 0;

	if (**fmt == '*') {
		++*fmt;
		return va_arg(*ap, int);
	}
	while (**fmt >= '0' && **fmt <= '9')
		n = n * 10 + (*(*fmt)++ - '0');
	return n;
}

int vsnprintf(char *dst, size_t size, const char *fmt, va_list args)
{
	struct out o = { dst, size, 0 };
	va_list ap;

	va_copy(ap, args);
	for (; *fmt; fmt++) {
		struct number m = { .base = 10, .prefix = "", .precision = -1 };
		bool wide = false;
		const char *s;
		char c;

		if (*fmt != '%') {
			emit(&o, *fmt);
			continue;
		}
		for (fmt++; *fmt == '0' || *fmt == '-' || *fmt == '#'; fmt++) {
			if (*fmt == '0')
				m.zero_pad = true;
			else if (*fmt == '-')
				m.left = true;
			else
				m.prefix = "0x";
		}
		m.width = parse_int(&fmt, &ap);
		if (m.width < 0) {
			m.left = true;
			m.width = -m.width;
		}
		if (*fmt == '.') {
			fmt++;
			m.precision = parse_int(&fmt, &ap);
		}
		for (; *fmt == 'l' || *fmt == 'z'; fmt++)
			wide = true;

		switch (*fmt) {
		case 'c':
			c = (char)va_arg(ap, int);
			emit_padded(&o, &c, 1, m.width, m.left);
			break;
		case 's':
			s = va_arg(ap, const char *);
			if (!s)
				s = "(null)";
			emit_padded(&o, s, m.precision < 0 ? strlen(s) :
				    strnlen(s, (size_t)m.precision), m.width, m.left);
			break;
		case 'd':
		case 'i':
			m.value = wide ? va_arg(ap, u64) : (u64)va_arg(ap, int);
			m.negative = (s64)m.value < 0;
			if (m.negative)
				m.value = 0 - m.value;
			m.prefix = "";
			emit_number(&o, &m);
			break;
		case 'o':
		case 'u':
			m.base = *fmt == 'o' ? 8 : 10;
			m.prefix = m.base == 8 && *m.prefix ? "0" : "";
			m.value = wide ? va_arg(ap, u64) : va_arg(ap, unsigned int);
			emit_number(&o, &m);
			break;
		case 'X':
		case 'x':
			m.base = 16;
			m.upper = *fmt == 'X';
			m.value = wide ? va_arg(ap, u64) : va_arg(ap, unsigned int);
			emit_number(&o, &m);
			break;
		case 'p':
			m.base = 16;
			m.prefix = "0x";
			m.value = (u64)va_arg(ap, void *);
			emit_number(&o, &m);
			break;
		case '%':
			emit(&o, '%');
			break;
		default:	/* not one of ours: show it, so that it is noticed */
			emit(&o, '%');
			if (!*fmt)
				goto out;
			emit(&o, *fmt);
		}
	}
out:
	va_end(ap);
	if (size)
		dst[min(o.n, size - 1)] = 0;
	return (int)o.n;
}

int snprintf(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(dst, size, fmt, ap);
	va_end(ap);
	return n;
}
