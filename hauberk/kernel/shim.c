// SPDX-License-Identifier: Apache-2.0
/*
 * The C side of hauberk.kernel: what must not run in Python (copying ring records, one 64-bit store), what libbpf
 * offers only as inline functions or option structs, and the probes. See shim.h for what each function promises.
 */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- messages --- */

static _Thread_local struct {
	char *buf;
	size_t size, length;
} log_target;

static void log_append(const char *text, size_t n)
{
	size_t keep;

	if (n >= log_target.size) {
		memcpy(log_target.buf, text + (n - log_target.size), log_target.size);
		log_target.length = log_target.size;
		return;
	}
	/* The end of a verifier log says what is wrong, so the beginning goes when room is short. */
	keep = log_target.length;
	if (keep > log_target.size - n) {
		keep = log_target.size - n;
		memmove(log_target.buf, log_target.buf + (log_target.length - keep), keep);
	}
	memcpy(log_target.buf + keep, text, n);
	log_target.length = keep + n;
}

static int log_print(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text;
	int n;

	if (level == LIBBPF_DEBUG || !log_target.buf)
		return 0;
	n = vasprintf(&text, format, args);
	if (n < 0)
		return 0;
	log_append(text, (size_t)n);
	free(text);
	return n;
}

__attribute__((constructor)) static void log_init(void)
{
	libbpf_set_print(log_print);
}

void shim_log_to(char *buf, size_t size)
{
	log_target.buf = size ? buf : NULL;
	log_target.size = size;
	log_target.length = 0;
}

size_t shim_log_length(void)
{
	return log_target.length;
}

/* --- objects --- */

struct bpf_object *shim_object_open(const void *data, size_t size, const char *name)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);

	return bpf_object__open_mem(data, size, &opts);
}

/* Finds a variable in .rodata: its bytes inside the initial value of the map, which libbpf lets us write until load. */
static int find_rodata(struct bpf_object *obj, const char *variable, char **where, size_t *size)
{
	const struct btf *btf = bpf_object__btf(obj);
	const struct btf_var_secinfo *var;
	const struct btf_type *section;
	struct bpf_map *map;
	size_t map_size = 0;
	char *image = NULL;
	int id, i;

	id = btf ? btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC) : -ENOENT;
	if (id < 0)
		return -ENOENT;
	bpf_object__for_each_map(map, obj) {
		const char *name = bpf_map__name(map);
		size_t n = strlen(name);

		/* libbpf names it OBJECT.rodata, cut to the kernel's 15 characters of a map name. */
		if (bpf_map__is_internal(map) && n >= 7 && !strcmp(name + n - 7, ".rodata"))
			image = (char *)bpf_map__initial_value(map, &map_size);
	}
	if (!image)
		return -ENOENT;
	section = btf__type_by_id(btf, (uint32_t)id);
	var = btf_var_secinfos(section);
	for (i = 0; i < btf_vlen(section); i++, var++) {
		const struct btf_type *t = btf__type_by_id(btf, var->type);

		if (strcmp(btf__name_by_offset(btf, t->name_off), variable))
			continue;
		if ((size_t)var->offset + var->size > map_size)
			return -ERANGE;
		*where = image + var->offset;
		*size = var->size;
		return 0;
	}
	return -ENOENT;
}

int shim_set_rodata(struct bpf_object *obj, const char *variable, const void *value, size_t size)
{
	size_t have;
	char *where;
	int err;

	err = find_rodata(obj, variable, &where, &have);
	if (err)
		return err;
	if (have != size)
		return -EINVAL;
	memcpy(where, value, size);
	return 0;
}

int shim_rodata_size(struct bpf_object *obj, const char *variable)
{
	size_t have;
	char *where;
	int err;

	err = find_rodata(obj, variable, &where, &have);
	return err ? err : (int)have;
}

/* --- rings --- */

/*
 * libbpf's ring_buffer__consume() advances past the record whose callback says "stop", so a batch that is full would
 * lose one. The layout is kernel ABI (BPF_MAP_TYPE_RINGBUF in kernel/bpf/ringbuf.c): page 0 is the consumer's
 * position, writable; page 1 the producer's; then the data, mapped twice in a row so that no record is ever split.
 */
struct shim_ring {
	unsigned long *consumer;
	const unsigned long *producer;
	const char *data;
	size_t mask, page;
};

struct shim_ring *shim_ring_open(int map_fd, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct shim_ring *ring;
	void *p;
	int err;

	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return NULL;
	ring->page = page;
	ring->mask = size - 1;
	p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (p == MAP_FAILED)
		goto fail;
	ring->consumer = p;
	p = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
	if (p == MAP_FAILED)
		goto fail;
	ring->producer = p;
	ring->data = (const char *)p + page;
	return ring;
fail:
	err = errno;
	shim_ring_close(ring);
	errno = err;
	return NULL;
}

void shim_ring_close(struct shim_ring *ring)
{
	if (ring->consumer)
		munmap(ring->consumer, ring->page);
	if (ring->producer)
		munmap((void *)ring->producer, ring->page + 2 * (ring->mask + 1));
	free(ring);
}

int64_t shim_ring_drain(struct shim_ring *ring, void *out, size_t size)
{
	unsigned long at = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	unsigned long end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	char *to = out;
	size_t used = 0;

	/*
	 * The kernel's own positions are always so. But who has the map can write the consumer's, and headers that lie
	 * somewhere else than records do can have any length.
	 */
	if (end - at > ring->mask + 1 || at % BPF_RINGBUF_HDR_SZ)
		return -EBADMSG;
	while (at != end) {
		const uint32_t *head = (const void *)(ring->data + (at & ring->mask));
		uint32_t word = __atomic_load_n(head, __ATOMIC_ACQUIRE);
		uint32_t length = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		size_t padded = ((size_t)length + 7) & ~(size_t)7;

		if (word & BPF_RINGBUF_BUSY_BIT)
			break;
		if (BPF_RINGBUF_HDR_SZ + padded > end - at)
			return used ? (int64_t)used : -EBADMSG;
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			uint32_t record[2] = { length, 0 };

			if (used + sizeof(record) + padded > size) {
				if (!used)
					return -EMSGSIZE;
				break;
			}
			memcpy(to + used, record, sizeof(record));
			memcpy(to + used + sizeof(record), (const char *)head + BPF_RINGBUF_HDR_SZ, padded);
			used += sizeof(record) + padded;
		}
		at += BPF_RINGBUF_HDR_SZ + padded;
		__atomic_store_n(ring->consumer, at, __ATOMIC_RELEASE);
	}
	return (int64_t)used;
}

uint64_t shim_ring_written(const struct shim_ring *ring)
{
	return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
}

uint64_t shim_ring_read(const struct shim_ring *ring)
{
	return __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
}

/* --- programs --- */

int shim_task_iter(int prog_fd, int pidfd)
{
	union bpf_iter_link_info info;
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	int link, iter;

	memset(&info, 0, sizeof(info));
	if (pidfd >= 0) {
		info.task.pid_fd = (uint32_t)pidfd;
		opts.iter_info = &info;
		opts.iter_info_len = sizeof(info);
	}
	link = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, &opts);
	if (link < 0)
		return link;
	/* The iterator keeps what it needs of the link. */
	iter = bpf_iter_create(link);
	close(link);
	return iter;
}

int shim_test_run(int prog_fd, const void *data, uint32_t data_size, void *data_out, uint32_t *data_out_size,
		  const void *ctx, uint32_t ctx_size, uint32_t *retval)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = data_size, .data_out = data_out,
		    .data_size_out = *data_out_size, .ctx_in = ctx, .ctx_size_in = ctx_size);
	int err = bpf_prog_test_run_opts(prog_fd, &opts);

	*data_out_size = opts.data_size_out;
	*retval = opts.retval;
	return err;
}

int shim_attach_trace(int prog_fd, int at_return, uint64_t cookie)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .tracing.cookie = cookie);

	return bpf_link_create(prog_fd, 0, at_return ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY, &opts);
}

/*
 * Such programs run within rcu_read_lock() (__bpf_prog_enter_recur in kernel/bpf/trampoline.c, bpf_iter_run_prog), so a grace
 * period of RCU is what to wait for. An update of a map of maps returns after one (maybe_wait_bpf_programs in
 * kernel/bpf/syscall.c; since 4.20, commit 1ae80cf31938, "bpf: wait for running BPF programs when updating map-in-map"), just so
 * that user space may rely on it. membarrier(2) does not do: with a single processor it returns at once.
 */
int shim_wait_for_programs(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	uint32_t key = 0;
	int inner, outer, err;

	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hb_inner", sizeof(key), sizeof(key), 1, NULL);
	if (inner < 0)
		return inner;
	opts.inner_map_fd = (uint32_t)inner;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "hb_outer", sizeof(key), sizeof(key), 1, &opts);
	err = outer < 0 ? outer : bpf_map_update_elem(outer, &key, &inner, BPF_ANY);
	if (outer >= 0)
		close(outer);
	close(inner);
	return err;
}

#define SYMBOL_NAME 32
#define INSN(what, dst, src, offset, value) \
	{ .code = (what), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (value) }
#define COPY_NAME(at)                                                    \
	INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_6, (at), 0), \
		INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_1, (at) - SYMBOL_NAME, 0)

struct symbol {
	char name[SYMBOL_NAME];
	uint64_t address;
};

/* Of all programs only one of this type may ask (since 5.16). It gets and gives back a struct symbol. */
static const struct bpf_insn look_up[] = {
	INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0),
	COPY_NAME(0),
	COPY_NAME(8),
	COPY_NAME(16),
	COPY_NAME(24),
	INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -SYMBOL_NAME - 8, 0),
	INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_10, 0, 0),
	INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, -SYMBOL_NAME),
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, SYMBOL_NAME),
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 0),
	INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_4, BPF_REG_10, 0, 0),
	INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_4, 0, 0, -SYMBOL_NAME - 8),
	INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_kallsyms_lookup_name),
	INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_10, -SYMBOL_NAME - 8, 0),
	INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_6, BPF_REG_1, SYMBOL_NAME, 0),
	INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
};

int shim_symbol(const char *name, uint64_t *address)
{
	LIBBPF_OPTS(bpf_prog_load_opts, load, .prog_flags = BPF_F_SLEEPABLE);
	struct symbol asked = { .address = 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &asked, .ctx_size_in = sizeof(asked));
	int fd, err;

	if (strlen(name) >= sizeof(asked.name))
		return -EINVAL;
	strcpy(asked.name, name);
	fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "hb_symbol", "GPL", look_up, sizeof(look_up) / sizeof(*look_up),
			   &load);
	if (fd < 0)
		return fd;
	err = bpf_prog_test_run_opts(fd, &run);
	close(fd);
	*address = asked.address;
	return err ? err : (int)run.retval;
}

/* --- shared memory --- */

void shim_store_u64(void *address, uint64_t value)
{
	__atomic_store_n((uint64_t *)address, value, __ATOMIC_SEQ_CST);
}

uint64_t shim_load_u64(const void *address)
{
	return __atomic_load_n((const uint64_t *)address, __ATOMIC_SEQ_CST);
}

/* --- probes --- */

static const struct bpf_insn return_zero[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

int64_t shim_functions(const struct btf *btf, const char *part, char *out, size_t size)
{
	uint32_t id, types = btf__type_cnt(btf);
	size_t used = 0;

	for (id = 1; id < types; id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const char *name = btf_is_func(t) ? btf__name_by_offset(btf, t->name_off) : NULL;
		size_t n;

		if (!name || !strstr(name, part))
			continue;
		n = strlen(name) + 1;
		if (n > size - used)
			return -ENOSPC;
		memcpy(out + used, name, n);
		used += n;
	}
	return (int64_t)used;
}

int shim_probe_filter(void)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "hb_probe", "GPL", return_zero, 2, NULL);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/*
 * Reads kernel memory, as the real programs do: a kernel in lockdown's confidentiality mode takes LSM programs but
 * refuses them that helper.
 */
static const struct bpf_insn read_kernel[] = {
	{ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8 },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10 },
	{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .imm = -8 },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 8 },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_3, .src_reg = BPF_REG_10 },
	{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

int shim_probe_lsm(uint32_t hook_btf_id)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_MAC, .attach_btf_id = hook_btf_id);

	return bpf_prog_load(BPF_PROG_TYPE_LSM, "hb_probe", "GPL", read_kernel,
			     sizeof(read_kernel) / sizeof(*read_kernel), &opts);
}

int shim_probe_attach(int prog_fd)
{
	return bpf_raw_tracepoint_open(NULL, prog_fd);
}

int shim_read_pseudo(const char *filesystem, const char *path, char *out, size_t size)
{
	int context, mount, fd, err;
	ssize_t n;

	context = (int)syscall(SYS_fsopen, filesystem, FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		err = -errno;
		close(context);
		return err;
	}
	mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	err = -errno;
	close(context);
	if (mount < 0)
		return err;
	fd = openat(mount, path, O_RDONLY | O_CLOEXEC);
	err = -errno;
	close(mount);
	if (fd < 0)
		return err;
	n = read(fd, out, size);
	err = -errno;
	close(fd);
	return n < 0 ? err : (int)n;
}
