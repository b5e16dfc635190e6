/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes and an ACL of a file that must not be changed.
 *
 * Their hooks have no path, and before 6.2 an ACL is one more extended attribute.
 *
 * ---
 * tries: [A11]
 * rule: fixed
 * lies_on: tmpfs
 * wins: changed
 */
#include "attack.h"
#include <sys/xattr.h>

int main(void)
{
	/* version 2; owner, uid 1, group, mask, others: tag, permissions, id (include/uapi/linux/posix_acl_xattr.h) */
	struct {
		uint32_t version;
		struct {
			uint16_t tag, permissions;
			uint32_t id;
		} entry[5];
	} acl = { 2, { { 1, 6, -1 }, { 2, 4, 1 }, { 4, 4, -1 }, { 16, 4, -1 }, { 32, 4, -1 } } };
	int result = setxattr(V("secret"), "trusted.attack", "x", 1, 0);

	result &= setxattr(V("secret"), "system.posix_acl_access", &acl, sizeof(acl), 0);
	must(result, "setxattr");
	return 0;
}
