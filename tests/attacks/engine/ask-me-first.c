/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hauberk left waiting for an answer that never comes.
 *
 * A fanotify group of the class that is asked before a file is opened, with a mark on a file system: whoever opens a file
 * there waits until the group's owner has answered. One that owns a mark on what Hauberk reads, and is silent, has stopped
 * it, without a signal.
 *
 * ---
 * tries: [own]
 * source: fanotify(7), https://man7.org/linux/man-pages/man7/fanotify.7.html
 * wins: said
 */
#include "attack.h"
#include <sys/fanotify.h>

int main(void)
{
	int group = fanotify_init(FAN_CLASS_CONTENT, O_RDONLY);
	/* a file of its own, lest the machine stand still if it succeeds: the call is the same for any other */
	int own = open(O("asked"), O_CREAT | O_WRONLY, 0600);

	must(group, "fanotify_init");
	must(own, "open");
	must(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, O("asked")), "fanotify_mark");
	return won();
}
