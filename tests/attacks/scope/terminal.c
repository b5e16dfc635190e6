/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands typed into the terminal of a shell outside of the workload.
 *
 * TIOCSTI puts bytes into a terminal's input as if they had been typed. A command that shares its terminal with the shell that
 * started it can so have that shell do anything; bubblewrap had to learn this. snapd then compared all 64 bits of the request,
 * of which the kernel takes 32.
 *
 * ---
 * tries: [own]
 * source: CVE-2017-5226 (bubblewrap), CVE-2019-7303 (snapd)
 * rule: secret
 * by: [terminal, HauberkSelfProtection]
 * wins: said
 * may_lack: TIOCSTI
 * outside: exec python3 -ISB "$HERE/outside/terminal.py" "$O"
 */
#include "attack.h"
#include <sys/ioctl.h>

int main(void)
{
	int fd = open(O("ready"), O_RDONLY), terminal, waiting = 0;
	char path[64] = "";

	must(read(fd, path, sizeof(path) - 1), "read");
	terminal = open(path, O_RDWR | O_NOCTTY);
	must(terminal, "open of the terminal");
	for (const char *c = "echo typed\n"; *c; c++)
		if (syscall(SYS_ioctl, terminal, TIOCSTI | 1ul << 32, c))
			return errno == EIO ? lacking("TIOCSTI is switched off") : failed("TIOCSTI");
	must(ioctl(terminal, FIONREAD, &waiting), "FIONREAD");
	return waiting > 0 ? won() : 1;
}
