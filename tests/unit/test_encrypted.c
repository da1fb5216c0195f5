/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encrypted mounts on a disk of the test's own: against a model, with the end at every write
 * (of the process alone, or of the machine: what was not synced is there or not, block by
 * block), and with a host that changes what it keeps.
 */
/* To forget what it knows, as at the end of a process. First, for <linux/stat.h>. */
#include "fs/encindex.c"

#include "cmocka_first.h"
#include <cpuid.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fake_host.h"

#define FILES	12
#define DIRFD	50
#define FD	100
#define SECTOR	4096ul
#define ROOM	(16ul << 20)
#define MOST	(160 * SECTOR)		/* more than one node's worth */
#define PREFIX	"/enc"

/* A process that is killed frees nothing. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0:quarantine_size_mb=4:malloc_context_size=2";
}

/* ---- the disk ---- */

struct disk_file {
	char name[40];			/* "": none */
	u8 *now, *synced;
	size_t size, synced_size;
};

static struct disk_file disk[FILES];
static u64 writes, writes_left = ~0ull, seed = 1;

static int disk_find(const char *name)
{
	for (int i = 0; i < FILES; i++)
		if (!strcmp(disk[i].name, name))
			return i;
	return -1;
}

static void resize(u8 **data, size_t *size, size_t to)
{
	/* Addresses are cheap; what is used costs. */
	if (!*data)
		*data = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(*data != MAP_FAILED && to <= ROOM);
	if (to > *size)
		memset(*data + *size, 0, to - *size);
	*size = to;
}

static void synced(struct disk_file *f)
{
	resize(&f->synced, &f->synced_size, f->size);
	if (f->size)
		memcpy(f->synced, f->now, f->size);
}

static s64 disk_open(const struct rakis_request *rq)
{
	const char *name = (const char *)rq->addr;
	const struct { u64 flags, mode, resolve; } *how = (void *)rq->off;
	int i;

	if (!strcmp(name, "/vol"))
		return DIRFD;
	i = disk_find(name);
	if (i < 0 && how->flags & O_CREAT) {
		i = disk_find("");
		assert_true(i >= 0 && strlen(name) < sizeof(disk[i].name));
		strcpy(disk[i].name, name);
		disk[i].size = disk[i].synced_size = 0;
	}
	return i < 0 ? -ENOENT : FD + i;
}

static s64 disk_answer(const struct rakis_request *rq, u32 slot)
{
	struct disk_file *f = &disk[rq->fd >= FD ? rq->fd - FD : 0];
	int i;

	switch (rq->opcode) {
	case RAKIS_OP_OPENAT2:
		return disk_open(rq);
	case RAKIS_OP_STATX:
		i = disk_find((const char *)rq->addr);
		if (i < 0)
			return -ENOENT;
		memset((void *)rq->off, 0, sizeof(struct statx));
		((struct statx *)rq->off)->stx_mask = STATX_BASIC_STATS;
		((struct statx *)rq->off)->stx_mode = S_IFREG | 0600;
		((struct statx *)rq->off)->stx_size = disk[i].size;
		return 0;
	case RAKIS_OP_READ:
		if (rq->off >= f->size)
			return 0;
		memcpy((void *)rq->addr, f->now + rq->off, min((u64)rq->len, f->size - rq->off));
		return min((u64)rq->len, f->size - rq->off);
	case RAKIS_OP_WRITE:
		if (writes_left == 0)
			return -EIO;
		writes_left--;
		writes++;
		if (rq->off + rq->len > f->size)
			resize(&f->now, &f->size, rq->off + rq->len);
		memcpy(f->now + rq->off, (void *)rq->addr, rq->len);
		return rq->len;
	case RAKIS_OP_FTRUNCATE:
		if (writes_left)
			resize(&f->now, &f->size, rq->off);
		return writes_left ? 0 : -EIO;
	case RAKIS_OP_FSYNC:
		if (writes_left)
			synced(f);
		return writes_left ? 0 : -EIO;
	case RAKIS_OP_SYNC:
		for (i = 0; i < FILES && writes_left; i++)
			synced(&disk[i]);
		return writes_left ? 0 : -EIO;
	case RAKIS_OP_UNLINKAT:
		i = disk_find((const char *)rq->addr);
		if (i >= 0 && writes_left)
			disk[i].name[0] = '\0';
		return i < 0 ? -ENOENT : 0;
	case RAKIS_OP_FLOCK:
		return 0;
	default:
		return FAKE_PASS;
	}
}

/* What was not synced is on the disk or not, each sector for itself. */
static void power_fails(void)
{
	for (int i = 0; i < FILES; i++) {
		struct disk_file *f = &disk[i];

		resize(&f->synced, &f->synced_size, f->size);
		for (size_t at = 0; at < f->size; at += SECTOR)
			if (fake_below(&seed, 2))
				memcpy(f->now + at, f->synced + at, min(SECTOR, f->size - at));
	}
}

static struct disk_file *copy_disk(void)
{
	struct disk_file *copy = malloc(sizeof(disk));

	memcpy(copy, disk, sizeof(disk));
	for (int i = 0; i < FILES; i++) {
		copy[i].now = malloc(disk[i].size + 1);
		if (disk[i].size)
			memcpy(copy[i].now, disk[i].now, disk[i].size);
	}
	return copy;
}

static void restore_file(const struct disk_file *copy, int i)
{
	memcpy(disk[i].name, copy[i].name, sizeof(disk[i].name));
	resize(&disk[i].now, &disk[i].size, copy[i].size);
	if (copy[i].size)
		memcpy(disk[i].now, copy[i].now, copy[i].size);
	synced(&disk[i]);
}

static void restore_disk(const struct disk_file *copy)
{
	for (int i = 0; i < FILES; i++)
		restore_file(copy, i);
}

static void clear_disk(void)
{
	for (int i = 0; i < FILES; i++)
		disk[i].name[0] = '\0';
	writes = 0;
	writes_left = ~0ull;
}

/* ---- the mount ---- */

static const u8 key[SHA256_SIZE] = "no secret";

/* As a new process: all that was known is forgotten. False: it cannot be mounted. */
static bool mount_again(void)
{
	struct mount *m = NULL;
	struct tmpfs *fs;

	nvolumes = 0;
	fs = enc_mount("/vol", PREFIX, key, "test");
	for (u32 i = 0; mount_at(i); i++)
		if (mount_at(i)->ops == &enc_mount_ops)
			m = (struct mount *)mount_at(i);
	assert_non_null(m);
	m->fs = fs;
	return fs;
}

static int start(void **state)
{
	struct rakis_boot boot = { 0 };
	u32 a, b, c, d, seven, x;

	fake_host_setup(state);
	__cpuid(1, a, b, c, d);
	__cpuid_count(7, 0, a, seven, x, b);
	crypto_init((u32[]){ d, c, seven, x });
	vfs_init(&boot, "/", "test");
	fake_answer = disk_answer;
	return mount_add(PREFIX, &enc_mount_ops, NULL, false);
}

static struct file *must_open(const char *name, u32 flags)
{
	struct file *f;
	char path[64];

	snprintf(path, sizeof(path), PREFIX "/%s", name);
	return vfs_open(path, flags, 0644, &f) ? NULL : f;
}

static int rename_to(const char *from, const char *to)
{
	struct where *a, *b = NULL;
	int err = where_kernel(&a, from, WHERE_NOFOLLOW);

	if (!err)
		err = where_kernel(&b, to, WHERE_NOFOLLOW);
	if (!err)
		err = vfs_rename(a, b, 0);
	where_put(a);
	where_put(b);
	return err;
}

static int unlink_name(const char *path)
{
	struct where *w;
	int err = where_kernel(&w, path, WHERE_NOFOLLOW);

	if (!err)
		err = vfs_unlink(w, false);
	where_put(w);
	return err;
}

static ssize_t do_write(struct file *f, const void *data, size_t n, u64 at)
{
	struct iter it;

	iter_kernel(&it, (void *)data, n);
	return file_pwrite(f, &it, at);
}

static ssize_t do_read(struct file *f, void *data, size_t n, u64 at)
{
	struct iter it;

	iter_kernel(&it, data, n);
	return file_pread(f, &it, at);
}

/* ---- the model ---- */

struct model {
	u8 data[MOST];
	size_t size;
};

static void model_write(struct model *m, const u8 *data, size_t n, u64 at)
{
	memcpy(m->data + at, data, n);
	m->size = max(m->size, at + n);
}

static void model_resize(struct model *m, u64 size)
{
	if (size < m->size)
		memset(m->data + size, 0, m->size - size);
	m->size = size;
}

/* 0: the file is so; -EIO: it cannot be read; 1: it is something else. */
static int compare(struct file *f, const struct model *m)
{
	static u8 data[MOST];
	struct statx st;
	ssize_t n;

	if (file_stat(f, STATX_SIZE, &st))
		return -EIO;
	n = do_read(f, data, MOST, 0);
	if (n < 0 || (size_t)n < st.stx_size)
		return -EIO;
	return st.stx_size != m->size || memcmp(data, m->data, m->size) ? 1 : 0;
}

static u8 *noise(size_t n)
{
	static u8 data[MOST];

	for (size_t i = 0; i < n; i += 4)
		*(u32 *)(data + i) = fake_random(&seed);
	return data;
}

/* ---- tests ---- */

/* Anything that can be done to one file, and new processes in between. */
static void as_the_model(void **state)
{
	static struct model m;
	struct file *f;

	clear_disk();
	assert_true(mount_again());
	f = must_open("a", O_CREAT | O_RDWR);
	assert_non_null(f);
	for (int step = 0; step < 1500; step++) {
		u64 at = fake_below(&seed, MOST), n = fake_below(&seed, fake_below(&seed, 8) ? 9000 : 200000);
		static u8 got[MOST];
		u8 *data;

		switch (fake_below(&seed, 12)) {
		default:
			n = min(n, MOST - at);
			data = noise(n);
			assert_int_equal(do_write(f, data, n, at), n);
			model_write(&m, data, n, at);
			break;
		case 6: case 7: case 8:
			n = at < m.size ? min(n, m.size - at) : 0;
			assert_int_equal(do_read(f, got, n, at), n);
			assert_memory_equal(got, m.data + at, n);
			break;
		case 9:
			if (fake_below(&seed, 3))
				break;
			at = fake_below(&seed, 4) ? at : 0;
			assert_int_equal(f->ops->truncate(f, at), 0);
			model_resize(&m, at);
			break;
		case 10:
			assert_int_equal(f->ops->fsync(f, fake_below(&seed, 2)), 0);
			break;
		case 11:
			file_put(f);
			if (fake_below(&seed, 2)) {
				enc_sync_all();
				assert_true(mount_again());
			}
			f = must_open("a", O_RDWR);
			assert_non_null(f);
			assert_int_equal(compare(f, &m), 0);
			break;
		}
	}
	assert_int_equal(compare(f, &m), 0);
	file_put(f);
}

#define STATES 64
static struct model states[STATES];
static u32 nstates;			/* those that may be found, the last durable one first */

/*
 * Changes to a file that was there, each state that may become the file's noted before it may.
 * Ends when the disk does.
 */
static void change_until_the_end(u64 with)
{
	struct model *m = &states[0];
	struct file *f;
	int err = 0;

	seed = with;
	m->size = 0;
	nstates = 1;
	memset(m, 0, sizeof(*m));
	if (!mount_again()) {
		assert_int_equal(writes_left, 0);
		return;
	}
	f = must_open("a", O_CREAT | O_RDWR);
	assert_non_null(f);
	if (f->ops->fsync(f, false))
		return;
	for (int step = 0; step < 40 && !err; step++) {
		struct model *next = &states[nstates];
		u64 at = fake_below(&seed, MOST - 70000), n = fake_below(&seed, 40000);
		u8 *data = noise(n);

		assert_true(nstates < STATES - 1);
		*next = states[nstates - 1];
		switch (fake_below(&seed, 4)) {
		case 0:
			nstates++;
			err = f->ops->fsync(f, true);
			if (!err) {
				states[0] = *next;
				nstates = 1;
			}
			break;
		case 1:
			if (fake_below(&seed, 2))
				break;
			/* A shorter file is there at once; a longer one with the next commit. */
			at = fake_below(&seed, 5) ? at : 0;
			model_resize(next, at);
			nstates++;
			err = f->ops->truncate(f, at);
			break;
		default:
			model_write(next, data, n, at);
			nstates++;
			err = do_write(f, data, n, at) == (ssize_t)n ? 0 : -EIO;
			break;
		}
	}
}

static void end_at_every_write(void **state)
{
	for (u64 with = 1; with <= 2; with++) {
		u64 last;

		clear_disk();
		change_until_the_end(with);
		last = writes;
		assert_true(last > 20);
		for (u64 end = 1; end < last; end++) {
			for (int machine = 0; machine < 2; machine++) {
				struct file *f;
				bool found = false;

				clear_disk();
				writes_left = end;
				change_until_the_end(with);
				writes_left = ~0ull;
				seed = end;
				if (machine)
					power_fails();
				assert_true(mount_again());
				f = must_open("a", O_RDONLY);
				/* Its name came with the first fsync. */
				if (!f) {
					assert_int_equal(states[0].size, 0);
					continue;
				}
				for (u32 i = 0; i < nstates && !found; i++)
					found = compare(f, &states[i]) == 0;
				assert_true(found);
				file_put(f);
			}
		}
	}
}

/* Writing anew and renaming: the name leads to the old content or to the new. */
static void replace_at_every_write(void **state)
{
	static struct model old, new;

	for (u64 end = 1; end < ~0ull; end++) {
		struct file *f;
		bool done = false;
		int is;

		clear_disk();
		seed = end;
		model_write(&old, noise(30000), 30000, 0);
		assert_true(mount_again());
		f = must_open("a", O_CREAT | O_RDWR);
		assert_int_equal(do_write(f, old.data, old.size, 0), old.size);
		assert_int_equal(f->ops->fsync(f, false), 0);
		file_put(f);
		enc_sync_all();

		writes_left = end;
		model_write(&new, noise(30000), 30000, 0);
		f = must_open("b", O_CREAT | O_RDWR);
		if (do_write(f, new.data, new.size, 0) == (ssize_t)new.size &&
		    !f->ops->fsync(f, false)) {
			assert_int_equal(rename_to(PREFIX "/b", PREFIX "/a"), 0);
			done = !f->ops->fsync(f, false);
		}
		writes_left = ~0ull;
		if (end % 2)
			power_fails();
		assert_true(mount_again());
		f = must_open("a", O_RDONLY);
		assert_non_null(f);
		is = compare(f, &new);
		assert_true(is == 0 || (!done && compare(f, &old) == 0));
		file_put(f);
		if (done)
			return;
	}
}

static bool content_is(const char *name, const struct model *m)
{
	struct file *f = must_open(name, O_RDONLY);
	int is = f ? compare(f, m) : -EIO;

	if (f)
		file_put(f);
	assert_int_not_equal(is, 1);
	return is == 0;
}

static struct model first[2], second[2];

/* Two files of one size, an older disk with other content of both, and the present one. */
static void make_two(struct disk_file **older, struct disk_file **present)
{
	static const char *const names[] = { "a", "b" };

	clear_disk();
	assert_true(mount_again());
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2; i++) {
			struct model *m = round ? &second[i] : &first[i];
			struct file *f = must_open(names[i], O_CREAT | O_RDWR);
			size_t n = round ? 20000 : MOST;

			*m = first[i];
			model_write(m, noise(n), n, 0);
			assert_int_equal(do_write(f, m->data, n, 0), n);
			assert_int_equal(f->ops->fsync(f, false), 0);
			file_put(f);
		}
		enc_sync_all();
		/* A process that opens neither of them writes the index, too. */
		assert_true(mount_again());
		file_put(must_open(round ? "d" : "c", O_CREAT | O_RDWR));
		enc_sync_all();
		*(round ? present : older) = copy_disk();
	}
}

/* Any sector changed, cut, or of an older version: an error, or it did not matter. */
static void changed_sectors(void **state)
{
	struct disk_file *older, *present;
	u32 seen = 0, harmless = 0;

	make_two(&older, &present);
	for (int i = 0; i < FILES; i++) {
		if (!present[i].name[0])
			continue;
		for (size_t at = 0; at < present[i].size; at += SECTOR) {
			static const u8 zeros[SECTOR];
			size_t n = min(SECTOR, present[i].size - at);

			for (int how = 0; how < 4; how++) {
				restore_disk(present);
				if (how == 0)
					disk[i].now[at + fake_below(&seed, n)] ^= 1 << fake_below(&seed, 8);
				else if (how == 1)
					memset(disk[i].now + at, 0, n);
				else if (how == 2 && at + n <= older[i].size)
					memcpy(disk[i].now + at, older[i].now + at, n);
				else if (how == 3)
					disk[i].size = at;
				if (how != 3 && !memcmp(disk[i].now + at, present[i].now + at, n))
					continue;
				if (how == 1 && !memcmp(present[i].now + at, zeros, n))
					continue;
				if (!mount_again()) {
					seen++;
				} else {
					bool a = content_is("a", &second[0]), b = content_is("b", &second[1]);

					*(a && b ? &harmless : &seen) += 1;
				}
			}
		}
	}
	assert_true(seen > 300);
	assert_true(harmless > 0);	/* the other place of a block, the other header */
}

static void whole_files(void **state)
{
	struct disk_file *older, *present, swap;
	int a = -1, b = -1;

	make_two(&older, &present);
	for (int i = 0; i < FILES; i++)
		if (strlen(disk[i].name) > 1 && strspn(disk[i].name, "0") < 32 && disk[i].size)
			*(a < 0 ? &a : &b) = i;
	assert_true(a >= 0 && b >= 0);

	/* Rolled back. */
	restore_file(older, a);
	assert_true(mount_again());
	assert_false(content_is("a", &second[0]) && content_is("b", &second[1]));

	/* Exchanged. */
	restore_disk(present);
	swap = disk[a];
	memcpy(disk[a].name, disk[b].name, sizeof(swap.name));
	memcpy(disk[b].name, swap.name, sizeof(swap.name));
	assert_true(mount_again());
	assert_false(content_is("a", &second[0]));
	assert_false(content_is("b", &second[1]));

	/* Away. */
	restore_disk(present);
	disk[a].name[0] = '\0';
	assert_true(mount_again());
	assert_false(content_is("a", &second[0]) && content_is("b", &second[1]));

	/* Another key. */
	restore_disk(present);
	nvolumes = 0;
	assert_null(enc_mount("/vol", PREFIX, (const u8 *)"another key, as long as a key is", "test"));
	assert_null(enc_mount("/vol", PREFIX, key, "another mount"));

	/* While a process has seen the newer one, an older one is no more believed. */
	restore_disk(present);
	assert_true(mount_again());
	assert_true(content_is("a", &second[0]));
	restore_file(older, a);
	restore_file(older, b);
	assert_false(content_is("a", &second[0]) && content_is("b", &second[1]));

	/* All of it older: only a counter outside of the disk could tell. */
	restore_disk(older);
	assert_true(mount_again());
	assert_true(content_is("a", &first[0]) && content_is("b", &first[1]));
}

/* Nothing is left on the disk of files that are gone. */
static void removed(void **state)
{
	u32 left = 0;

	clear_disk();
	assert_true(mount_again());
	for (int i = 0; i < 3; i++) {
		struct file *f = must_open("a", O_CREAT | O_RDWR);

		assert_int_equal(do_write(f, noise(9000), 9000, 0), 9000);
		if (i)
			assert_int_equal(f->ops->fsync(f, false), 0);
		assert_int_equal(unlink_name(PREFIX "/a"), 0);
		if (i > 1)
			enc_sync_all();
		file_put(f);
	}
	enc_sync_all();
	for (int i = 0; i < FILES; i++)
		left += disk[i].name[0] != '\0';
	assert_int_equal(left, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_model),
		cmocka_unit_test(end_at_every_write),
		cmocka_unit_test(replace_at_every_write),
		cmocka_unit_test(changed_sectors),
		cmocka_unit_test(whole_files),
		cmocka_unit_test(removed),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
