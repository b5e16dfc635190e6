#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts the service as a container would: nginx in front, the runner of CGI programs behind it.
exec >&2
# The socket must be open to nginx's worker, which is not root.
(umask 111 && exec fcgiwrap -s unix:/var/www/shop/run/cgi.sock) &
cgi=$!
nginx -e stderr -c /var/www/shop/nginx.conf -g 'daemon off;' &
web=$!
trap 'kill $web $cgi; wait; exit' TERM INT
wait $web
