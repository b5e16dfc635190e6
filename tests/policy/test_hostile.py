# SPDX-License-Identifier: Apache-2.0
"""Input made to break a reader: a clear fault, and never more memory than stated."""

import subprocess
import sys
import textwrap

import pytest

from hauberk.policy.document import MAX_NODES
from hauberk.policy.load import MEMORY_BOUND_BYTES, load_text

HEAD = "apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata: {name: x}\nspec:\n"

PARTS = {
    "ten megabytes of nesting": "'[' * (10 << 20)",
    "four megabytes of nesting": "'[' * (4 << 20)",
    "nested mappings": "'{a: ' * 1_000_000",
    "nested block lists": "'- ' * 2_000_000",
    "complex keys": "'? ' * 2_000_000",
    "an alias bomb": "'a0: &a0 [' + 'x, ' * 9 + ']\\n'"
    " + ''.join(f'a{i}: &a{i} [' + f'*a{i - 1}, ' * 9 + ']\\n' for i in range(1, 40))",
    "a merge bomb": "'a0: &a0 {' + ', '.join(f'k{i}: x' for i in range(1000)) + '}\\n'"
    " + ''.join(f'a{i}: {{<<: *a0}}\\n' for i in range(1, 2000))",
    "a list of nothing": "'- a\\n' * (1 << 20)",
    "empty documents": "'---\\n' * (1 << 20)",
    "one long word": "'a: ' + 'x' * (4_000_000)",
    "one long number": "'a: ' + '9' * (4_000_000)",
    "one long escape": "'a: \"' + '\\\\U0001f600' * 400_000 + '\"'",
    "many anchors": "''.join(f'- &a{i} x\\n' for i in range(240_000))",
    "many faulty rules": "HEAD + '  file: {matchPaths: [' + '{path: a}, ' * 80_000 + ']}'",
    "many empty rules": "HEAD + '  file: {matchPaths: [' + '{}, ' * 240_000 + ']}'",
    "one faulty rule, many times": "HEAD + '  file: {matchPaths: [&a {path: a, severity: 99, message: 1}, '"
    " + '*a, ' * 30_000 + ']}'",
    "many unknown fields": "HEAD + ''.join(f'  f{i}: 0\\n' for i in range(120_000))",
    "many faulty labels": "HEAD + '  selector: {matchLabels: {'"
    " + ', '.join(f'f{i}: 0' for i in range(120_000)) + '}}'",
    "many faulty tags": "HEAD + '  tags: [' + '1, ' * 240_000 + ']'",
    "many unknown system calls": "HEAD + '  syscalls: {matchSyscalls: ['"
    " + ('{syscall: [' + 'opne, ' * 1000 + ']}, ') * 240 + ']}'",
    "a long comma list": "HEAD + '  network: {matchProtocols: [{protocol: \"' + ',' * 4_000_000 + '\"}]}'",
    "many doubled fields": "'a: 1\\n' * 120_000",
    "an enormous pattern": "HEAD + '  file: {matchPatterns: [{pattern: \"/' + '{' * 4000 + '\"}]}'",
    "a binary file": "bytes(range(256)) * 4096",
}

CLEAN = {"many valid rules": "HEAD + '  file: {matchPaths: [' + '{path: /a}, ' * 80_000 + ']}'"}


def _run(expression: str) -> str:
    """Load what `expression` makes, in its own process; returns memory, number of faults, first fault."""
    script = textwrap.dedent(
        f"""
        import resource
        from hauberk.policy.load import load_text
        HEAD = {HEAD!r}
        text = {expression}
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        loaded = load_text(text)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print((peak - before) * 1024, len(loaded.faults), loaded.faults[0] if loaded.faults else "")
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("expression", [*PARTS.values(), *CLEAN.values()], ids=[*PARTS, *CLEAN])
def test_hostile_input_ends_in_a_fault_within_the_memory_stated(expression: str) -> None:
    used, faults, first = _run(expression).split(" ", 2)
    assert int(used) <= MEMORY_BOUND_BYTES
    if expression in CLEAN.values():
        assert faults == "0"
    else:
        assert int(faults) >= 1
        assert first.startswith("<text>")


def test_the_bounds_leave_room_for_ten_thousand_rules() -> None:
    rules = "".join(
        f"    - path: /usr/share/some/directory/file-{i}\n      readOnly: true\n      action: Audit\n"
        for i in range(10_000)
    )
    loaded = load_text(HEAD + "  file:\n    matchPaths:\n" + rules)
    assert loaded.faults == ()
    assert len(loaded.policies[0].spec.file.match_paths) == 10_000
    assert MAX_NODES >= 10_000 * 20
