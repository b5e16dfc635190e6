/* SPDX-License-Identifier: Apache-2.0 */
/* Many tries of the same, while others get in between. */
#include "act.h"

#define MAX_HELPERS 16

/*
 * hammer TRIES HELPERS FORBIDDEN ALLOWED...: this process tries to open FORBIDDEN while each helper opens one of the
 * allowed. Notes how often each was opened and refused.
 */
static long verb_hammer(char **w)
{
	long tries = atol(w[0]), helpers = atol(w[1]), opened = 0, refused = 0, allowed = 0;
	pid_t helper[MAX_HELPERS];
	int counts[2], last = 0;
	sigset_t end;

	for (char **name = w + 3; *name; name++)
		allowed++;
	if (helpers > MAX_HELPERS || !allowed || pipe(counts))
		return 1;
	sigemptyset(&end);
	sigaddset(&end, SIGUSR1);
	sigprocmask(SIG_BLOCK, &end, NULL);
	for (long i = 0; i < helpers; i++) {
		helper[i] = fork();
		if (!helper[i]) {
			/* refused, then opened */
			long told[2] = { 0, 0 };

			for (struct timespec now = { 0, 0 }; sigtimedwait(&end, NULL, &now) < 0;)
				for (int j = 0; j < 50; j++) {
					int fd = open(w[3 + i % allowed], O_RDONLY);

					told[fd >= 0]++;
					if (fd >= 0)
						close(fd);
				}
			_exit(write(counts[1], told, sizeof(told)) != sizeof(told));
		}
	}
	for (long i = 0; i < tries; i++) {
		int fd = open(w[2], O_RDONLY);

		if (fd >= 0) {
			opened++;
			close(fd);
		} else if (errno == EACCES) {
			refused++;
		} else {
			last = errno;
		}
	}
	note("forbidden-opened", opened);
	note("forbidden-refused", refused);
	note("forbidden-other-errno", last);
	long told[2], sum[2] = { 0, 0 };
	for (long i = 0; i < helpers; i++) {
		kill(helper[i], SIGUSR1);
		if (read(counts[0], told, sizeof(told)) != sizeof(told))
			return 1;
		sum[0] += told[0];
		sum[1] += told[1];
		waitpid(helper[i], NULL, 0);
	}
	note("allowed-opened", sum[1]);
	note("allowed-refused", sum[0]);
	return 0;
}

/* churn DIRECTORY: rename two directories in it to and fro until killed. A rename across directories takes rename_lock. */
static long verb_churn(char **w)
{
	if (chdir(w[0]) || mkdir("a", 0755) || mkdir("b", 0755) || mkdir("a/x", 0755))
		return -1;
	note("ready", 1);
	alarm(0);
	for (;;)
		if (rename("a/x", "b/x") || rename("b/x", "a/x"))
			return -1;
}

const struct verb race_verbs[] = { { "hammer", verb_hammer }, { "churn", verb_churn }, { NULL, NULL } };
