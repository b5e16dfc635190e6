/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of a file that must not be changed (chattr): they are set through a descriptor that is open for reading.
 *
 * FS_IOC_SETFLAGS asks for no write access, only for the owner, and until 6.17 has no hook but that of all ioctls. An
 * immutable file stops the service that has to write it.
 *
 * ---
 * tries: [A11]
 * rule: fixed
 * lies_on: tmpfs
 * wins: changed
 */
#include "attack.h"
#include <linux/fs.h>
#include <sys/ioctl.h>

int main(void)
{
	int fd = open(V("secret"), O_RDONLY), flags;

	must(fd, "open");
	must(ioctl(fd, FS_IOC_GETFLAGS, &flags), "FS_IOC_GETFLAGS");
	flags |= FS_NODUMP_FL;
	must(ioctl(fd, FS_IOC_SETFLAGS, &flags), "FS_IOC_SETFLAGS");
	return 0;
}
