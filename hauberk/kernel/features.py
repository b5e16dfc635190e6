# SPDX-License-Identifier: Apache-2.0
"""What this kernel lets Hauberk do, found out by trying, and if not, why and what to do about it.

`observe()` tries: it loads a program that permits everything, attaches it to a hook that this process then
passes itself, and looks whether it ran. Lists and versions only serve to explain a failure, because a kernel
can list `bpf` among its LSMs and still refuse. `diagnose()` explains, a pure function of what was observed.
"""

import errno
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hauberk.kernel._shim import ffi, lib
from hauberk.kernel.errors import KernelError, explain, fail
from hauberk.kernel.libbpf import Program, RunStatistics
from hauberk.kernel.pins import is_bpffs

BPFFS = Path("/sys/fs/bpf")

HOOK = "bpf_lsm_"
"""What the name of the function behind an LSM hook begins with."""

PROBE_HOOK = "task_getscheduler"
"""The hook of the trial: rarely passed, and by this process whenever it likes (sched_getscheduler)."""

SECTION_HOOKS: Mapping[str, tuple[str, ...]] = {
    "process": ("task_alloc", "bprm_check_security", "bprm_committed_creds", "mmap_file", "file_mprotect"),
    "file": ("file_open", "file_receive", "path_unlink", "path_rename", "path_link", "path_mkdir"),
    "network": ("socket_create", "socket_bind", "socket_connect", "socket_listen", "socket_accept"),
    "capabilities": ("capable",),
}
"""Hooks without which a section cannot be enforced; a kernel is built with or without each group."""

_CAPABILITIES = {21: "CAP_SYS_ADMIN", 38: "CAP_PERFMON", 39: "CAP_BPF"}
_WITHOUT_IT = "or try policies in a machine that has it: hauberk lab run -- COMMAND"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the trials and the files of the kernel said. An `_error` is a positive errno, 0 for success."""

    release: str = ""
    capabilities: frozenset[str] = frozenset()
    initial_user_namespace: bool = True
    bpf_error: int = 0
    btf: bool = True
    hooks: frozenset[str] = frozenset()
    load_error: int = 0
    attach_error: int = 0
    called: bool | None = None
    """Whether an attached program ran; None if that could not be seen."""
    lsms: tuple[str, ...] | None = None
    """The kernel's LSMs in their order; None if securityfs could not be read."""
    lockdown: str = ""
    """none, integrity, confidentiality, or empty if not known."""
    jit: bool = True
    preempt: str = ""
    """none, voluntary, full, lazy, or empty if not known."""
    bpffs: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why something cannot be enforced, with its remedy."""

    feature: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What follows: whether policies can be enforced here, which sections, and the reasons if not."""

    observed: Observed
    enforceable: bool
    sections: Mapping[str, bool]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Reason:
    """A known cause of failure: when it holds and what to say then."""

    feature: str
    holds: Callable[[Observed], bool]
    message: Callable[[Observed], str]
    remedy: Callable[[Observed], str] = field(default=lambda seen: "")


def _missing_capabilities(seen: Observed) -> list[str]:
    if "CAP_SYS_ADMIN" in seen.capabilities:
        return []
    return [name for name in ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN") if name not in seen.capabilities]


def _lsm_line(seen: Observed) -> str:
    return ",".join((*(name for name in seen.lsms or () if name != "capability"), "bpf"))


# In the order in which one would look: what stands first explains what fails after it.
_REASONS = (
    _Reason(
        "bpf",
        lambda seen: seen.bpf_error == errno.ENOSYS,
        lambda seen: "this kernel has no bpf() system call",
        lambda seen: f"use a kernel with CONFIG_BPF_SYSCALL, {_WITHOUT_IT}",
    ),
    _Reason(
        "capabilities",
        lambda seen: bool(_missing_capabilities(seen)),
        lambda seen: f"this process lacks {', '.join(_missing_capabilities(seen))}",
        lambda seen: (
            "run as root; in a container, with these capabilities and without a seccomp filter of bpf()"
        ),
    ),
    _Reason(
        "user namespace",
        lambda seen: not seen.initial_user_namespace,
        lambda seen: "this process is in a user namespace, whose root may not load LSM programs",
        lambda seen: "run as root of the machine",
    ),
    _Reason(
        "bpf",
        lambda seen: (
            seen.bpf_error not in (0, errno.ENOSYS)
            and seen.initial_user_namespace
            and not _missing_capabilities(seen)
        ),
        lambda seen: f"bpf() is refused here: {explain(seen.bpf_error)}",
        lambda seen: "look for a seccomp filter of the container or the service",
    ),
    _Reason(
        "BTF",
        lambda seen: not seen.btf,
        lambda seen: "the kernel does not describe its types (no /sys/kernel/btf/vmlinux)",
        lambda seen: f"use a kernel with CONFIG_DEBUG_INFO_BTF, {_WITHOUT_IT}",
    ),
    _Reason(
        "BPF LSM",
        lambda seen: seen.btf and PROBE_HOOK not in seen.hooks,
        lambda seen: "the kernel is built without BPF LSM",
        lambda seen: f"use a kernel with CONFIG_BPF_LSM, {_WITHOUT_IT}",
    ),
    _Reason(
        "JIT",
        lambda seen: not seen.jit,
        lambda seen: "the BPF JIT compiler, which LSM programs need, is off",
        lambda seen: "sysctl net.core.bpf_jit_enable=1",
    ),
    _Reason(
        "lsm=",
        lambda seen: seen.called is False or (seen.lsms is not None and "bpf" not in seen.lsms),
        lambda seen: "`bpf` is not among the kernel's active LSMs, so its programs would never be asked",
        lambda seen: f"boot with lsm={_lsm_line(seen)}, {_WITHOUT_IT}",
    ),
    _Reason(
        "lockdown",
        # EINVAL is how the verifier says that a helper is closed to the program.
        lambda seen: (
            seen.load_error in (errno.EPERM, errno.EINVAL)
            and seen.lockdown in ("integrity", "confidentiality")
        ),
        lambda seen: f"the kernel is locked down ({seen.lockdown}) and refuses LSM programs",
        lambda seen: f"boot without lockdown= (and without Secure Boot where that sets it), {_WITHOUT_IT}",
    ),
    _Reason(
        "loading",
        lambda seen: seen.load_error != 0,
        lambda seen: f"the kernel refuses an LSM program: {explain(seen.load_error)}",
        lambda seen: f"use another kernel, {_WITHOUT_IT}",
    ),
    _Reason(
        "attaching",
        lambda seen: seen.attach_error != 0,
        lambda seen: f"an LSM program loads but cannot be attached: {explain(seen.attach_error)}",
        lambda seen: f"use another kernel, {_WITHOUT_IT}",
    ),
)


def diagnose(seen: Observed) -> Diagnosis:
    """Says what can be enforced and, if something cannot, every known reason (or that none is known)."""
    lsm_listed = seen.lsms is not None and "bpf" in seen.lsms
    works = not (seen.load_error or seen.attach_error) and (
        seen.called is True or (seen.called is None and lsm_listed)
    )
    findings = []
    if not works:
        known = [reason for reason in _REASONS if reason.holds(seen)]
        # The last two only repeat the errno, which nobody needs who has been told the cause.
        causes = [reason for reason in known if reason.feature not in ("loading", "attaching")] or known
        findings = [Finding(each.feature, each.message(seen), each.remedy(seen)) for each in causes]
        if not findings:
            message = "an attached LSM program could not be seen to run, and the active LSMs are not readable"
            findings = [Finding("lsm=", message, "run as root of the machine")]
    sections = {name: works and seen.hooks.issuperset(hooks) for name, hooks in SECTION_HOOKS.items()}
    for name, possible in sections.items():
        if works and not possible:
            missing = ", ".join(hook for hook in SECTION_HOOKS[name] if hook not in seen.hooks)
            message = f"rules of the {name} section cannot be enforced: the kernel has no hook {missing}"
            findings.append(
                Finding(name, message, "use a kernel with CONFIG_SECURITY_PATH and CONFIG_SECURITY_NETWORK")
            )
    return Diagnosis(seen, works, sections, tuple(findings))


def probe() -> Diagnosis:
    """Tries and explains. Needs no privileges: without them it says so."""
    return diagnose(observe())


def observe() -> Observed:
    """Tries what can be tried. Changes nothing: the trial program permits and is gone when this returns."""
    ids = _hook_ids({PROBE_HOOK, *(hook for hooks in SECTION_HOOKS.values() for hook in hooks)})
    load_error, attach_error, called = _try_lsm(ids.get(PROBE_HOOK, 0))
    listed = pseudo_file("securityfs", "lsm", Path("/sys/kernel/security"))
    return Observed(
        release=os.uname().release,
        capabilities=_capabilities(),
        initial_user_namespace=_read("/proc/self/uid_map").split() == ["0", "0", "4294967295"],
        bpf_error=-lib.shim_probe_filter(),
        btf=os.access("/sys/kernel/btf/vmlinux", os.R_OK),
        hooks=frozenset(ids),
        load_error=load_error,
        attach_error=attach_error,
        called=called,
        lsms=tuple(listed.strip().split(",")) if listed else None,
        lockdown=_selected(pseudo_file("securityfs", "lockdown", Path("/sys/kernel/security")), "[]"),
        jit=_read("/proc/sys/net/core/bpf_jit_enable").strip() != "0",
        preempt=_selected(pseudo_file("debugfs", "sched/preempt", Path("/sys/kernel/debug")), "()")
        or _preempt_of_command_line(),
        bpffs=is_bpffs(BPFFS),
    )


def available_hooks(hooks: Collection[str]) -> frozenset[str]:
    """Those of these LSM hooks that this kernel has."""
    return frozenset(_hook_ids(hooks))


def available_functions(functions: Collection[str]) -> frozenset[str]:
    """Those of these functions that the kernel's BTF describes."""
    return frozenset(_function_ids(functions))


_NAMES_BYTES = 1 << 20
"""Room for names of functions; all of those for system calls take some 40 KB."""


def functions_with(part: str) -> frozenset[str]:
    """All functions that the kernel's BTF describes whose name has `part` in it: quicker than to ask for
    many."""
    btf = lib.btf__load_vmlinux_btf()
    if btf == ffi.NULL:
        return frozenset()
    out = ffi.new("char[]", _NAMES_BYTES)
    try:
        used = int(lib.shim_functions(btf, part.encode(), out, _NAMES_BYTES))
    finally:
        lib.btf__free(btf)
    if used < 0:
        fail(KernelError, f"listing the kernel's functions with {part}", used)
    return frozenset(bytes(ffi.buffer(out, used)).decode().split("\0")) - {""}


def _hook_ids(hooks: Collection[str]) -> dict[str, int]:
    """The BTF ids of those hooks that this kernel has."""
    found = _function_ids(map(HOOK.__add__, hooks))
    return {name.removeprefix(HOOK): id for name, id in found.items()}


def _function_ids(functions: Iterable[str]) -> dict[str, int]:
    btf = lib.btf__load_vmlinux_btf()
    if btf == ffi.NULL:
        return {}
    try:
        found = {
            name: int(lib.btf__find_by_name_kind(btf, name.encode(), lib.BTF_KIND_FUNC)) for name in functions
        }
    finally:
        lib.btf__free(btf)
    return {name: id for name, id in found.items() if id > 0}


def _try_lsm(hook_id: int) -> tuple[int, int, bool | None]:
    """Loads, attaches and provokes a program that permits: errno of each step, and whether it ran."""
    if not hook_id:
        return errno.ENOENT, 0, None
    fd = lib.shim_probe_lsm(hook_id)
    if fd < 0:
        return -fd, 0, None
    with Program(fd, "hb_probe") as program:
        try:
            statistics = RunStatistics()
        except KernelError:
            statistics = None
        link = lib.shim_probe_attach(program.fd)
        try:
            if link < 0:
                return 0, -link, None
            os.sched_getscheduler(0)
            return 0, 0, program.runs > 0 if statistics else None
        finally:
            if link >= 0:
                os.close(link)
            if statistics:
                statistics.close()


def pseudo_file(filesystem: str, path: str, mounted_at: Path) -> str:
    """A file of securityfs or debugfs, mounted or not; empty if it cannot be read."""
    text = _read(mounted_at / path)
    if text:
        return text
    buffer = ffi.new("char[]", 4096)
    length = lib.shim_read_pseudo(filesystem.encode(), path.encode(), buffer, 4096)
    return bytes(ffi.buffer(buffer, length)).decode("utf-8", "replace") if length > 0 else ""


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _selected(text: str, brackets: str) -> str:
    """The chosen one of a line such as `none [integrity] confidentiality`."""
    _, _, rest = text.partition(brackets[0])
    return rest.partition(brackets[1])[0]


def _preempt_of_command_line() -> str:
    for word in reversed(_read("/proc/cmdline").split()):
        if word.startswith("preempt="):
            return word.removeprefix("preempt=")
    return ""


def _capabilities() -> frozenset[str]:
    for line in _read("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            mask = int(line.split()[1], 16)
            return frozenset(name for number, name in _CAPABILITIES.items() if mask >> number & 1)
    return frozenset()
