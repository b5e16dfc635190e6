/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What C does for hauberk.kernel beyond plain calls of libbpf.
 *
 * Everything below the includes is also given to cffi (scripts/emit_shim.py), so a declaration is written once and the
 * compiler checks it. A function that can fail returns a negative errno. None of them keeps a pointer of the caller
 * after it returns, shim_log_to() and the ring excepted, which say so.
 */
#ifndef HAUBERK_KERNEL_SHIM_H
#define HAUBERK_KERNEL_SHIM_H
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>

/* --- messages of libbpf and of the verifier --- */

/*
 * From here on libbpf's messages of this thread are appended to buf, of which the last `size` bytes are kept;
 * NULL drops them. The buffer stays the caller's and must live until the next call. Nothing is ever printed.
 */
void shim_log_to(char *buf, size_t size);
/* Bytes in the buffer now. */
size_t shim_log_length(void);

/* --- objects --- */

/* Opens an ELF object in memory. NULL and errno on failure. */
struct bpf_object *shim_object_open(const void *data, size_t size, const char *name);
/*
 * Sets a `const volatile` global of an open, not yet loaded object. -ENOENT: no such variable, -EINVAL: `size` is not
 * the variable's.
 */
int shim_set_rodata(struct bpf_object *obj, const char *variable, const void *value, size_t size);
/* The size in bytes of that variable. */
int shim_rodata_size(struct bpf_object *obj, const char *variable);

/* --- rings --- */

struct shim_ring;
/* Maps the ring buffer behind map_fd, whose data area has `size` bytes. NULL and errno on failure. */
struct shim_ring *shim_ring_open(int map_fd, size_t size);
void shim_ring_close(struct shim_ring *ring);
/*
 * Copies whole records into out until the ring is empty, the next one is still being written, or it does not fit:
 * each is u32 length, u32 zero, payload padded to 8 bytes. Returns the bytes used; -EMSGSIZE if even the first record
 * is larger than out, -EBADMSG if what comes next is no record.
 */
int64_t shim_ring_drain(struct shim_ring *ring, void *out, size_t size);
/* How many bytes were ever written to the ring, and how many of these were read: headers included. */
uint64_t shim_ring_written(const struct shim_ring *ring);
uint64_t shim_ring_read(const struct shim_ring *ring);

/* --- programs --- */

/* An iterator over the tasks of the process behind pidfd, or over all if it is negative; returns a readable fd. */
int shim_task_iter(int prog_fd, int pidfd);
/*
 * Runs a program once (BPF_PROG_TEST_RUN). data and ctx may be NULL. Returns 0 and stores the program's return value
 * and the number of bytes written to data_out.
 */
int shim_test_run(int prog_fd, const void *data, uint32_t data_size, void *data_out, uint32_t *data_out_size,
		  const void *ctx, uint32_t ctx_size, uint32_t *retval);

/*
 * Attaches a program that was loaded for a function of the kernel, to where this returns or to where it begins. The program
 * finds `cookie` there. Returns the link's fd or -errno.
 */
int shim_attach_trace(int prog_fd, int at_return, uint64_t cookie);

/*
 * Waits until every BPF program that does not sleep and is running now, on any processor and preempted or not, has ended.
 */
int shim_wait_for_programs(void);
/*
 * Where the kernel keeps the variable or function of this name, of less than 32 characters, without reading through
 * /proc/kallsyms. -ENOENT: there is none; -EPERM: addresses are closed to this process.
 */
int shim_symbol(const char *name, uint64_t *address);

/* --- memory shared with programs --- */

/* One 64-bit store or load, in order with all that is stored and loaded before and after. The address is 8-aligned. */
void shim_store_u64(void *address, uint64_t value);
uint64_t shim_load_u64(const void *address);

/* --- probes --- */

/*
 * Writes the names of the functions in btf whose name has `part` in it, each with its NUL. Returns the bytes that it takes;
 * -ENOSPC if that is more than `size`.
 */
int64_t shim_functions(const struct btf *btf, const char *part, char *out, size_t size);
/* Loads a two-instruction socket filter and drops it: is bpf() open to us at all? 0 or -errno. */
int shim_probe_filter(void);
/*
 * Loads a small LSM program that permits, for the hook with this id in the kernel's BTF. Returns its fd or -errno.
 */
int shim_probe_lsm(uint32_t hook_btf_id);
/* Attaches a program loaded by shim_probe_lsm(). Returns the link's fd or -errno. */
int shim_probe_attach(int prog_fd);
/*
 * Reads a file of a pseudo file system (securityfs, debugfs) through a detached mount of it, so that it need not be
 * mounted anywhere and the machine's mounts do not change. Returns the bytes read.
 */
int shim_read_pseudo(const char *filesystem, const char *path, char *out, size_t size);

#endif
