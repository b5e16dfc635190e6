/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The enforcer: one object, one family of hooks a file. `abi.h` is what user space sees of it, `lib/` what the hooks share.
 *
 *   task        the label, its inheritance, and by which place it is given
 *   exec        programs, files mapped executable, and open files that an exec hands on (descriptor)
 *   file        opens and received descriptors
 *   path        names and attributes, by path
 *   attribute   times, extended attributes, ACLs
 *   mount       file systems that would show files under new names
 *   socket      network, and the queries of name servers
 *   capability  capabilities
 *   guard       what would end the enforcement
 *   activity    what is only reported
 */
#include "hooks/task.h"
#include "hooks/exec.h"
#include "hooks/file.h"
#include "hooks/path.h"
#include "hooks/attribute.h"
#include "hooks/mount.h"
#include "hooks/socket.h"
#include "hooks/capability.h"
#include "hooks/guard.h"
#include "hooks/activity.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Puts the types that user space checks into the object's BTF. */
struct hb_event *layout_event;
struct hb_repeats *layout_repeats;
struct hb_workload *layout_workload;
struct hb_table *layout_table;
struct hb_file_identity *layout_file_identity;
