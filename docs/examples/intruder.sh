# SPDX-License-Identifier: Apache-2.0
# What somebody might try who got a shell in a web server. Meant to run under docs/examples/web.yaml.
cat /etc/shadow
ln /etc/shadow /var/tmp/harmless
unshare --mount sh -c 'mount --bind /etc /mnt && cat /mnt/shadow'
apt-get --version
/lib64/ld-linux-x86-64.so.2 /usr/bin/apt-get --version
head -1 /etc/os-release
