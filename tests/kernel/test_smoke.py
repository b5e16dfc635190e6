# SPDX-License-Identifier: Apache-2.0
"""The whole way once: a policy, a refused call, a record that names the rule."""

from hauberk.events.record import Call
from tests.kernel.arena import Arena, shell

POLICY = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: no-shadow, namespace: default}
spec:
  selector: {}
  file:
    matchPaths:
    - path: /etc/shadow
  action: Block
"""


def test_a_blocked_file_cannot_be_read_and_the_alert_names_the_rule(arena: Arena) -> None:
    ran = arena.run(POLICY, shell("cat /etc/hostname >/dev/null && cat /etc/shadow"))
    assert ran.status == 1
    assert "Permission denied" in ran.output
    (record,) = ran.refused()
    assert record.call == Call.OPEN
    (alert,) = ran.alerts()
    assert alert.PolicyName == "no-shadow"
    assert alert.Resource == "/etc/shadow"
    assert alert.ProcessName.endswith("/cat")


def test_without_the_policy_it_can_be_read(arena: Arena) -> None:
    ran = arena.run("", shell("cat /etc/shadow"))
    assert ran.status == 0
    assert ran.records == ()
