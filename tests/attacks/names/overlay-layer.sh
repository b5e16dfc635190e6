# SPDX-License-Identifier: Apache-2.0
# The blocked file in the layer from which the container's root was made, as the machine sees it.
#
# In the container the file lies on an overlay. The layer below it is a plain directory of the machine, and who shares
# the machine's process ids reaches it through /proc/1/root, on a file system and by a path that the container has not.
#
# ---
# tries: [A10, C2]
# rule: secret
# by: [overlay-layer, UnknownObject]
# wins: secret
# places: [privileged]
cat /proc/1/root/run/attacks/*/upper"$V/secret"
