# SPDX-License-Identifier: Apache-2.0
"""The other direction: ordinary work goes through under rules that speak of other paths, some close by.

Each piece of work is a script that stops at the first failure. Its last line breaks a rule, once, so that it
is seen that the rules were in force.
"""

import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hauberk.kernel.namespaces import enter_root
from tests.kernel.arena import Arena, Ran, shell
from tests.kernel.helpers.act import policy

pytestmark = pytest.mark.preempt

RULES: Mapping[str, Any] = {
    "matchPaths": [{"path": "/etc/shadow"}, {"path": "/srv/work/app/shared/key"}],
    "matchDirectories": [
        {"dir": "/srv/work/private/", "recursive": True},
        {"dir": "/srv/work/log/audit/", "recursive": True, "readOnly": True},
        {"dir": "/srv/work/root/opt/vendor/", "recursive": True},
    ],
    "matchPatterns": [{"pattern": "/srv/work/{app,log}/**/*.secret"}],
}

DEPLOY = """
mkdir -p releases/1 releases/2 shared
echo 1 > releases/1/version
echo 2 > releases/2/version
ln -s releases/1 current
ln -s releases/2 current.new
mv -T current.new current
test "$(cat current/version)" = 2
# and the same with directories
cp -r releases/1 live
cp -r releases/2 live.new
mv -T live live.old
mv -T live.new live
rm -r live.old
test "$(cat live/version)" = 2
"""

UPGRADE = """
for version in 1 2; do
    mkdir -p tree/DEBIAN tree/usr/lib/tool/plugins tree/etc/tool
    cat > tree/DEBIAN/control <<END
Package: tool
Version: $version
Architecture: all
Maintainer: nobody
Description: a tool
END
    echo /etc/tool/tool.conf > tree/DEBIAN/conffiles
    echo $version | tee tree/usr/lib/tool/version tree/usr/lib/tool/plugins/$version tree/etc/tool/tool.conf
    ln -sfn plugins/$version tree/usr/lib/tool/plugin
    dpkg-deb -Znone --root-owner-group -b tree tool-$version.deb
    rm -r tree
done
mkdir -p admin/info admin/updates
touch admin/status admin/available
dpkg="dpkg --admindir=$PWD/admin --instdir=/srv/work/root --log=$PWD/dpkg.log --force-script-chrootless"
$dpkg -i tool-1.deb
test "$(cat ../root/usr/lib/tool/version)" = 1
$dpkg -i tool-2.deb
test "$(cat ../root/usr/lib/tool/plugin)" = 2
test ! -e ../root/usr/lib/tool/plugins/1
$dpkg --purge tool
test ! -e ../root/usr/lib/tool
"""

ROTATION = """
cat > service <<'END'
trap 'exec >> app.log' HUP
exec >> app.log
while :; do
    echo line
    sleep 0.05
done
END
touch app.log
sh service &
service=$!
for turn in 1 2; do
    while [ ! -s app.log ]; do sleep 0.05; done
    test ! -e app.log.1 || mv app.log.1 app.log.2
    mv app.log app.log.1
    : > app.log
    chmod 640 app.log
    chown 0:4 app.log
    kill -HUP $service
done
while [ ! -s app.log ]; do sleep 0.05; done
kill $service
gzip app.log.2
test -s app.log.1
"""

ARCHIVE = """
mkdir -p tree/bin tree/etc new
echo program > tree/bin/program
echo config > tree/etc/config
tar -C tree -cf tree.tar .
mount -t tmpfs none new
tar -C new -xpf tree.tar
touch -d 2001-01-01 new/etc/config
test "$(cat new/bin/program)" = program
umount new
"""

LAYERS = """
mkdir -p base/etc base/usr/share/doc layers work merged new
echo old > base/etc/config
echo doc > base/usr/share/doc/readme
tar -C base -cf base.tar .
mkdir layers/1.part
tar -C layers/1.part -xf base.tar
mv layers/1.part layers/1
mkdir layers/2.part
mount -t overlay -o lowerdir=layers/1,upperdir=layers/2.part,workdir=work none merged
echo new > merged/etc/config
rm -r merged/usr/share/doc
mkdir merged/usr/share/doc
mv merged/etc merged/settings || cp -r merged/etc merged/settings
umount merged
mv layers/2.part layers/2
tar -C layers/2 --xattrs --xattrs-include='*' -cf layer.tar .
mkdir layers/3 && tar -C layers/3 --xattrs --xattrs-include='*' -xf layer.tar
mkdir layers/4 work/4
mount -t overlay -o lowerdir=layers/3:layers/1,upperdir=layers/4,workdir=work/4 none merged
test "$(cat merged/settings/config)" = new
test ! -e merged/usr/share/doc/readme
umount merged
rm -r layers
"""

WORK: Mapping[str, tuple[str, str]] = {
    "an application is deployed by one rename": ("/srv/work/app", DEPLOY),
    "a package is installed, upgraded and removed": ("/srv/work/packages", UPGRADE),
    "logs are rotated under a service that writes them": ("/srv/work/log", ROTATION),
    "an archive is unpacked on a new file system": ("/srv/work/archive", ARCHIVE),
    # on a tmpfs, as an overlay cannot have its upper layer on another
    "layers of images are mounted, filled, cleared and moved": ("/tmp/work/images", LAYERS),
}


def run(arena: Arena, directory: str, script: str) -> Ran:
    place = Path(directory)
    subprocess.run(["rm", "-rf", "/srv/work", "/tmp/work"], check=True)
    place.mkdir(parents=True)
    for blocked in ("private", "log/audit", "root/opt/vendor"):
        Path("/srv/work", blocked).mkdir(parents=True, exist_ok=True)
    argv: Sequence[str] = shell(f"set -e; cd {place}\n{script}\necho done\ncat /etc/shadow")
    # in a mount namespace of its own, so that nothing stays mounted
    prepare = partial(enter_root, "/")
    return arena.run(policy("other", file=RULES), argv, prepare=prepare, timeout=240)


def cases() -> list[Any]:
    return [
        pytest.param(
            name,
            id=name.replace(" ", "-"),
        )
        for name in WORK
    ]


@pytest.mark.parametrize("name", cases())
def test_ordinary_work_goes_through(arena: Arena, name: str) -> None:
    ran = run(arena, *WORK[name])
    assert "done\n" in ran.output, ran.output
    told = [(alert.Resource, alert.Result) for alert in ran.alerts()]
    assert told == [("/etc/shadow", "Permission denied")], ran.alerts()
