# SPDX-License-Identifier: Apache-2.0
"""`hauberk run` on a kernel that was booted without BPF among its LSMs: refused with the remedy, or told
loudly."""

import sys
from pathlib import Path

import pytest

from hauberk import lab

pytestmark = pytest.mark.lab

HAUBERK = str(Path(sys.executable).with_name("hauberk"))
POLICY = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: web, namespace: default}
spec:
  selector: {}
  file: {matchPaths: [{path: /etc/shadow}]}
"""


def test_without_bpf_in_lsm_it_refuses_unless_told_to_run_all_the_same() -> None:
    script = f"""
        {HAUBERK} run -p - -- echo ran < /tmp/policy; echo refused $?
        {HAUBERK} run -p - --allow-unenforced --status /tmp/status -- echo ran < /tmp/policy; echo ended $?
        cat /tmp/status
    """
    done = lab.capture(
        ["sh", "-c", f"cat > /tmp/policy; {script}"],
        lab.Options(kernel="6.1", append="lsm=landlock,apparmor"),
        stdin=POLICY.encode(),
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert out.startswith("refused 125\nran\nended 0\n")
    assert '"enforced":false' in out
    assert '"state":"rejected"' in out
    # the kernel's lockdown is active whatever the command line says
    reason = "`bpf` is not among the kernel's active LSMs, so its programs would never be asked"
    assert (
        f"hauberk: nothing can be enforced here: {reason} (boot with lsm=lockdown,landlock,apparmor,bpf"
        in err
    )
    assert "--allow-unenforced" in err
    assert f"hauberk: NOTHING IS ENFORCED: {reason}" in err
