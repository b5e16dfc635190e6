/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of Hauberk's process read and written, by /proc/PID/mem and by process_vm_readv.
 *
 * Neither stops the process, and neither is called tracing.
 *
 * ---
 * tries: [D6, B7]
 * wins: said
 */
#include "attack.h"
#include <sys/uio.h>

int main(void)
{
	char path[64], line[512], byte;
	unsigned long at = 0;
	struct iovec mine = { &byte, 1 }, its;
	FILE *maps;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/mem", getenv("AGENT"));
	fd = open(path, O_RDWR);
	snprintf(path, sizeof(path), "/proc/%s/maps", getenv("AGENT"));
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[stack]"))
			at = strtoul(line, NULL, 16);
	if (fd >= 0 && at && pread(fd, &byte, 1, at) == 1 && pwrite(fd, &byte, 1, at) == 1)
		return won();
	its = (struct iovec){ (void *)at, 1 };
	if (at && process_vm_readv(atoi(getenv("AGENT")), &mine, 1, &its, 1, 0) == 1)
		return won();
	return failed("neither way");
}
