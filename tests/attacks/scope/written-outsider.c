/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a process outside of the workload written to, without tracing it.
 *
 * process_vm_writev and /proc/PID/mem need no stop: code or data of a process that is not confined can be replaced.
 *
 * ---
 * tries: [B7, C2]
 * rule: secret
 * by: [written-outsider, HauberkSelfProtection]
 * wins: said
 * outside: echo $$ > "$O/starting"; mv "$O/starting" "$O/ready"; while :; do sleep 1000; done
 */
#include "attack.h"
#include <sys/uio.h>

int main(void)
{
	int fd = open(O("ready"), O_RDONLY);
	char text[32] = "", path[64], line[512];
	unsigned long at = 0;
	struct iovec mine = { "mine", 4 }, its;
	FILE *maps;

	must(read(fd, text, sizeof(text) - 1), "read");
	snprintf(path, sizeof(path), "/proc/%d/maps", atoi(text));
	maps = fopen(path, "r");
	if (!maps)
		return failed("open of its maps");
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[stack]"))
			at = strtoul(line, NULL, 16);
	if (!at)
		return failed("no stack is shown");
	its = (struct iovec){ (void *)at, 4 };
	must(syscall(SYS_process_vm_writev, atoi(text), &mine, 1, &its, 1, 0), "process_vm_writev");
	return won();
}
