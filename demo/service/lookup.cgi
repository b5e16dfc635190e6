#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# /lookup?host=NAME says the addresses of a host. It is careless on purpose: it runs as root, and what the visitor
# sends becomes part of a shell command, so that ?host=localhost;id runs id. Never use this.
printf 'Content-Type: text/plain\r\n\r\n'
host=${QUERY_STRING#host=}
host=${host//+/ }
host=$(printf '%b' "${host//%/\\x}")
exec 2>&1
eval "getent hosts $host"
