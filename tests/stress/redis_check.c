/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A redis client that checks every answer. Each connection owns its keys and keeps a model of
 * them; connections are half-closed, closed and reset with requests in flight, and what the
 * server then says must be the model after some first part of them. At the end all is compared.
 *
 * Nothing orders one connection after another, and the server does not know the name of one that
 * was reset: what a reset connection has in flight is ended by its number (CLIENT KILL ID).
 *
 * Usage: redis_check PORT [OPERATIONS [SEED]]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS	50
#define STRINGS		12		/* keys below are strings, */
#define COUNTERS	18		/* then counters, then lists */
#define KEYS		24
#define PIPELINE	32
#define LIST_MAX	200
#define VALUE_MAX	65536
#define POOL		(1 << 20)
#define STUCK_MS	20000

enum kind { SET, GET, APPEND, INCR, LPUSH, LPOP, DEL };
enum state { RUN, HALF, KILL_OLD, REREAD };
enum fate { LIVE, CLOSE_HALF, RESET_NOW, RESET_LATER };

struct op {
	enum kind kind;
	int key;
	uint32_t off, len;		/* the value, in the pool */
};

struct value {
	bool exists;
	char *bytes;			/* strings */
	size_t len;
	long count;			/* counters */
	struct { uint32_t off, len; } list[LIST_MAX];	/* the last one is the list's head */
	int items;
};

struct buffer {
	char *p;
	size_t len, cap, at;
};

struct conn {
	int id, fd;
	enum state state;
	enum fate fate;
	long number;			/* the connection's, in the server */
	bool every_reply;		/* a half-close that must lose no reply */
	bool all_run;			/* ... and no request */
	struct buffer in, out;
	struct op ops[PIPELINE];	/* in flight: from op_at to op_end */
	int op_at, op_end, key_at;
	struct value keys[KEYS];
	struct buffer seen[KEYS];	/* raw replies, read again */
};

struct reply {
	char type;
	long number;			/* or the length of what is at data; -1: nil */
	const char *data;
};

static struct conn conns[CONNECTIONS];
static char pool[POOL];
static int port, epoll;
static long todo, done, issued, resets, halves, lost, rereads, opened;
static uint64_t random_state;

static uint64_t rnd(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % below;
}

static void fail(struct conn *c, const char *format, ...)
{
	va_list args;

	printf("connection %d (state %d, fate %d, in flight %d, unsent %zu, unparsed %zu), after %ld: ", c->id,
	       c->state, c->fate, c->op_end - c->op_at, c->out.len - c->out.at, c->in.len, done);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

static void put(struct buffer *b, const void *data, size_t len)
{
	if (b->len + len > b->cap) {
		b->cap = (b->len + len) * 2;
		b->p = realloc(b->p, b->cap);
		if (!b->p)
			abort();
	}
	memcpy(b->p + b->len, data, len);
	b->len += len;
}

static void __attribute__((format(printf, 2, 3))) putf(struct buffer *b, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	put(b, text, vsnprintf(text, sizeof(text), format, args));
	va_end(args);
}

/* The length of the line at @p without its end, -1 where it is not complete. */
static long line(const char *p, size_t len)
{
	const char *end = memchr(p, '\r', len);

	return end && end + 1 < p + len ? end - p : -1;
}

/* The length of the whole reply at @p, 0 if more is needed, -1 if it is none. */
static long parse(const char *p, size_t len, struct reply *r)
{
	struct reply item;
	long at, n = len ? line(p, len) : -1, step;

	if (n < 0)
		return len > 0 && !strchr("+-:$*", *p) ? -1 : 0;
	r->type = p[0];
	r->data = p + 1;
	r->number = strtol(p + 1, NULL, 10);
	at = n + 2;
	switch (p[0]) {
	case '+':
	case '-':
		r->number = n - 1;
		return at;
	case ':':
		return at;
	case '$':
		if (r->number < 0)
			return at;
		r->data = p + at;
		if (at + r->number + 2 > (long)len)
			return 0;
		return memcmp(p + at + r->number, "\r\n", 2) ? -1 : at + r->number + 2;
	case '*':
		r->data = p + at;
		for (long i = 0; i < r->number; i++, at += step) {
			step = parse(p + at, len - at, &item);
			if (step <= 0)
				return step;
		}
		return at;
	}
	return -1;
}

static void send_op(struct conn *c, const struct op *op)
{
	static const char *const names[] = { "SET", "GET", "APPEND", "INCR", "LPUSH", "LPOP", "DEL" };
	bool has_value = op->kind == SET || op->kind == APPEND || op->kind == LPUSH;
	char key[32];
	int len = snprintf(key, sizeof(key), "k:%d:%d", c->id, op->key);

	putf(&c->out, "*%d\r\n$%zu\r\n%s\r\n$%d\r\n%s\r\n", has_value ? 3 : 2, strlen(names[op->kind]),
	     names[op->kind], len, key);
	if (has_value) {
		putf(&c->out, "$%u\r\n", op->len);
		put(&c->out, pool + op->off, op->len);
		put(&c->out, "\r\n", 2);
	}
}

static void apply(struct conn *c, const struct op *op)
{
	struct value *v = &c->keys[op->key];

	switch (op->kind) {
	case SET:
		v->len = 0;
		/* fall through */
	case APPEND:
		v->bytes = realloc(v->bytes, v->len + op->len);
		memcpy(v->bytes + v->len, pool + op->off, op->len);
		v->len += op->len;
		v->exists = true;
		break;
	case INCR:
		v->count++;
		v->exists = true;
		break;
	case LPUSH:
		v->list[v->items].off = op->off;
		v->list[v->items++].len = op->len;
		v->exists = true;
		break;
	case LPOP:
		if (v->items)
			v->exists = --v->items > 0;
		break;
	case DEL:
		v->exists = false;
		v->len = v->count = v->items = 0;
		break;
	case GET:
		break;
	}
}

static bool is_bytes(const struct reply *r, const void *data, size_t len)
{
	return r->type == '$' && r->number == (long)len && !memcmp(r->data, data, len);
}

static bool is_number(const struct reply *r, long n)
{
	return r->type == ':' && r->number == n;
}

static bool is_nil(const struct reply *r)
{
	return (r->type == '$' || r->type == '*') && r->number < 0;
}

/* Is this the answer to GET of a string or counter, or to LRANGE of a list? */
static bool is_value(const struct conn *c, int key, const struct reply *r)
{
	const struct value *v = &c->keys[key];
	struct reply item;
	const char *p = r->data;
	char text[32];

	if (key >= COUNTERS) {
		if (r->type != '*' || r->number != v->items)
			return false;
		for (int i = v->items; i-- > 0; ) {
			p += parse(p, SIZE_MAX / 4, &item);
			if (!is_bytes(&item, pool + v->list[i].off, v->list[i].len))
				return false;
		}
		return true;
	}
	if (!v->exists)
		return is_nil(r);
	if (key >= STRINGS)
		return is_bytes(r, text, snprintf(text, sizeof(text), "%ld", v->count));
	return is_bytes(r, v->bytes, v->len);
}

static void check(struct conn *c, const struct op *op, const struct reply *r)
{
	const struct value *v = &c->keys[op->key];
	bool good = false;

	switch (op->kind) {
	case SET:
		good = r->type == '+' && r->number == 2 && !memcmp(r->data, "OK", 2);
		break;
	case GET:
		good = is_value(c, op->key, r);
		break;
	case APPEND:
		good = is_number(r, v->len + op->len);
		break;
	case INCR:
		good = is_number(r, v->count + 1);
		break;
	case LPUSH:
		good = is_number(r, v->items + 1);
		break;
	case LPOP:
		good = v->items ? is_bytes(r, pool + v->list[v->items - 1].off, v->list[v->items - 1].len)
				: is_nil(r);
		break;
	case DEL:
		good = is_number(r, v->exists);
		break;
	}
	if (!good)
		fail(c, "wrong answer to operation %d on key %d: %c %ld %.60s (model: %d %zu %ld %d)", op->kind,
		     op->key, r->type, r->number, r->data, v->exists, v->len, v->count, v->items);
	apply(c, op);
	done++;
}

static void watch(struct conn *c, int how)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	if (c->out.at < c->out.len)
		e.events |= EPOLLOUT;
	if (epoll_ctl(epoll, how, c->fd, &e))
		fail(c, "epoll_ctl: %m");
}

static void flush(struct conn *c)
{
	while (c->out.at < c->out.len) {
		ssize_t n = send(c->fd, c->out.p + c->out.at, c->out.len - c->out.at, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			fail(c, "send: %m");
		c->out.at += n;
	}
	if (c->out.at == c->out.len)
		c->out.at = c->out.len = 0;
	watch(c, EPOLL_CTL_MOD);
}

/* The server's number of the connection: by then it is accepted. */
static void ask_number(struct conn *c)
{
	static const char ask[] = "*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n";
	struct reply r;
	char text[64];
	ssize_t n = 0, more;

	if (send(c->fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) != sizeof(ask) - 1)
		fail(c, "send: %m");
	do {
		more = recv(c->fd, text + n, sizeof(text) - n, 0);
		if (more <= 0)
			fail(c, "CLIENT ID: %s", more ? strerror(errno) : "EOF");
		n += more;
	} while (!parse(text, n, &r) && n < (ssize_t)sizeof(text));
	if (parse(text, n, &r) != n || r.type != ':')
		fail(c, "CLIENT ID: %.*s", (int)n, text);
	c->number = r.number;
}

static void connect_one(struct conn *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)))
		fail(c, "connect: %m");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	ask_number(c);
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	c->in.len = c->out.len = c->out.at = 0;
	c->fate = LIVE;
	opened++;
	watch(c, EPOLL_CTL_ADD);
}

/* Ask for all keys; which part of what was in flight has run is seen from them. */
static void read_again(struct conn *c)
{
	char key[32];

	c->state = REREAD;
	c->key_at = 0;
	rereads++;
	for (int i = 0; i < KEYS; i++) {
		int len = snprintf(key, sizeof(key), "k:%d:%d", c->id, i);

		if (i >= COUNTERS)
			putf(&c->out, "*4\r\n$6\r\nLRANGE\r\n$%d\r\n%s\r\n$1\r\n0\r\n$2\r\n-1\r\n", len, key);
		else
			putf(&c->out, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len, key);
	}
	flush(c);
}

static void reset(struct conn *c)
{
	struct linger off = { .l_onoff = 1 };
	long old = c->number;
	char name[32];

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	close(c->fd);
	resets++;
	connect_one(c);
	/* The server may not have come to the old connection yet: nothing of it runs after this. */
	c->state = KILL_OLD;
	c->all_run = false;
	snprintf(name, sizeof(name), "%ld", old);
	putf(&c->out, "*4\r\n$6\r\nCLIENT\r\n$4\r\nKILL\r\n$2\r\nID\r\n$%zu\r\n%s\r\n", strlen(name), name);
	flush(c);
}

static uint32_t size(void)
{
	uint64_t kind = rnd(100);

	return 1 + rnd(kind < 80 ? 512 : kind < 95 ? 8192 : VALUE_MAX);
}

static void issue(struct conn *c)
{
	int n = rnd(2) ? 1 : 1 + rnd(PIPELINE), gets = 0;
	uint64_t event = rnd(100);

	if (n > todo - issued)
		n = todo - issued;
	c->op_at = 0;
	c->op_end = n;
	c->fate = event < 2 ? CLOSE_HALF : event < 3 ? RESET_NOW : event < 4 ? RESET_LATER : LIVE;
	issued += n;
	if (!n)
		return;
	for (int i = 0; i < n; i++) {
		struct op *op = &c->ops[i];
		struct value *v;

		op->key = rnd(KEYS);
		v = &c->keys[op->key];
		op->len = size();
		if (op->key >= COUNTERS) {
			op->kind = v->items < LIST_MAX - PIPELINE && rnd(2) ? LPUSH : LPOP;
			op->len = 1 + op->len % 1024;
		} else if (op->key >= STRINGS) {
			op->kind = rnd(4) ? INCR : GET;
		} else {
			op->kind = rnd(5) < 2 ? GET : v->len < VALUE_MAX && rnd(2) ? APPEND : SET;
			gets += op->kind == GET;
		}
		if (!rnd(20))
			op->kind = DEL;
		op->off = rnd(POOL - op->len);
		send_op(c, op);
	}
	c->every_reply = !gets;
	flush(c);
	if (c->fate == RESET_NOW)
		reset(c);
}

/* All keys are read again: the model after the first n of what was in flight must be it. */
static void settle(struct conn *c)
{
	done += c->op_end - c->op_at;
	for (; ; c->op_at++) {
		struct reply r;
		int i;

		for (i = 0; i < KEYS; i++) {
			parse(c->seen[i].p, c->seen[i].len, &r);
			if (!is_value(c, i, &r))
				break;
		}
		if (i == KEYS && (!c->all_run || c->op_at == c->op_end))
			break;
		if (c->op_at == c->op_end) {
			parse(c->seen[i % KEYS].p, c->seen[i % KEYS].len, &r);
			fail(c, "key %d is none of the states it may have: %c %ld", i, r.type, r.number);
		}
		apply(c, &c->ops[c->op_at]);
	}
	c->op_at = c->op_end = 0;
	c->state = RUN;
}

static void take(struct conn *c, const char *p, long len, const struct reply *r)
{
	switch (c->state) {
	case RUN:
	case HALF:
		if (c->op_at == c->op_end)
			fail(c, "an answer to nothing: %.60s", p);
		check(c, &c->ops[c->op_at++], r);
		break;
	case KILL_OLD:
		if (r->type != ':')
			fail(c, "CLIENT KILL: %.60s", p);
		read_again(c);
		break;
	case REREAD:
		c->seen[c->key_at].len = 0;
		put(&c->seen[c->key_at++], p, len);
		if (c->key_at == KEYS)
			settle(c);
		break;
	}
}

static void half_closed(struct conn *c)
{
	int left = c->op_end - c->op_at;

	if ((c->in.len || left) && (c->every_reply || !left))
		fail(c, "EOF after a half-close with %d replies missing", left);
	lost += left;
	close(c->fd);
	connect_one(c);
	c->all_run = true;
	c->state = RUN;
	if (left)
		read_again(c);
}

static void readable(struct conn *c)
{
	static char chunk[1 << 18];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);
	struct reply r;
	size_t at = 0;
	long len;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		fail(c, "recv: %m");
	if (!n) {
		if (c->state != HALF)
			fail(c, "EOF unasked");
		half_closed(c);
		return;
	}
	put(&c->in, chunk, n);
	while ((len = parse(c->in.p + at, c->in.len - at, &r)) > 0) {
		take(c, c->in.p + at, len, &r);
		at += len;
	}
	if (len < 0)
		fail(c, "not a reply: %.60s", c->in.p + at);
	memmove(c->in.p, c->in.p + at, c->in.len - at);
	c->in.len -= at;
}

static void step(struct conn *c, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		readable(c);
	if (events & EPOLLOUT && c->out.at < c->out.len)
		flush(c);
	if (c->fate == RESET_LATER && c->state == RUN && c->op_at && c->op_at < c->op_end) {
		reset(c);
	} else if (c->fate == CLOSE_HALF && c->state == RUN && c->out.at == c->out.len && c->op_end) {
		/* In flight or, where all is answered, idle. */
		shutdown(c->fd, SHUT_WR);
		c->state = HALF;
		halves++;
	}
	if (c->state == RUN && c->op_at == c->op_end && issued < todo) {
		issue(c);
		/* Half-closed now, not when the first answer is there. */
		if (c->fate == CLOSE_HALF && c->state == RUN)
			step(c, 0);
	}
}

static void run(void)
{
	struct epoll_event events[64];

	for (int i = 0; i < CONNECTIONS; i++)
		step(&conns[i], 0);
	for (;;) {
		int n, busy = 0;

		for (int i = 0; i < CONNECTIONS; i++)
			busy += conns[i].state != RUN || conns[i].op_at < conns[i].op_end;
		if (!busy && issued >= todo)
			return;
		n = epoll_wait(epoll, events, 64, STUCK_MS);
		if (!n) {
			for (int i = 0; i < CONNECTIONS; i++) {
				struct conn *c = &conns[i];

				if (c->state != RUN || c->op_at < c->op_end)
					printf("stuck: connection %d, port %d, state %d, fate %d: %d of %d unanswered, "
					       "%zu unsent, %zu unparsed\n", i, c->fd, c->state, c->fate,
					       c->op_end - c->op_at, c->op_end, c->out.len - c->out.at, c->in.len);
			}
			fail(&conns[0], "nothing happened for %d s", STUCK_MS / 1000);
		}
		for (int i = 0; i < n; i++)
			step(events[i].data.ptr, events[i].events);
	}
}

/* The whole data set, each part by its own connection, and how many keys there are. */
static void compare_all(void)
{
	struct reply r = { 0 };
	char text[64];
	long keys = 0;
	ssize_t n;

	todo = 0;
	for (int i = 0; i < CONNECTIONS; i++) {
		conns[i].all_run = true;
		read_again(&conns[i]);
		for (int k = 0; k < KEYS; k++)
			keys += conns[i].keys[k].exists;
	}
	run();
	fcntl(conns[0].fd, F_SETFL, 0);
	putf(&conns[0].out, "*1\r\n$6\r\nDBSIZE\r\n");
	flush(&conns[0]);
	n = recv(conns[0].fd, text, sizeof(text) - 1, 0);
	if (n <= 0 || parse(text, n, &r) <= 0 || !is_number(&r, keys))
		fail(&conns[0], "%ld keys, not %ld", r.number, keys);
}

int main(int argc, char **argv)
{
	struct timespec a, b;
	double seconds;

	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	port = atoi(argv[1]);
	todo = argc > 2 ? atol(argv[2]) : 300000;
	random_state = argc > 3 ? strtoull(argv[3], NULL, 0) : (uint64_t)time(NULL);
	printf("seed %llu\n", (unsigned long long)random_state);
	random_state = random_state * 0x9e3779b97f4a7c15 | 1;
	for (int i = 0; i < POOL; i++)
		pool[i] = rnd(256);
	epoll = epoll_create1(0);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < CONNECTIONS; i++) {
		conns[i].id = i;
		connect_one(&conns[i]);
	}
	run();
	clock_gettime(CLOCK_MONOTONIC, &b);
	compare_all();
	seconds = b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9;
	printf("%ld operations in %.1f s (%.0f/s), %ld connections, %ld resets, %ld half-closes (%ld replies not "
	       "seen), %ld times read again\n", done, seconds, done / seconds, opened, resets, halves, lost, rereads);
	return 0;
}
