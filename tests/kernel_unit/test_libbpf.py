# SPDX-License-Identifier: Apache-2.0
"""Objects and programs: adjusted before loading, refused with the reason, closed without a trace."""

import errno
import gc
import os
import struct
import threading
from collections.abc import Callable

import pytest

from hauberk.kernel.errors import KernelError, LoadError
from hauberk.kernel.libbpf import BpfObject, run_task_iter

PACKET = bytes(14)  # the least that a socket filter is run on
Load = Callable[..., BpfObject]


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_constants_are_what_they_were_set_to(load: Load) -> None:
    assert load().program("read_constants").test_run(data=PACKET)[0] == 3
    assert load(rodata={"constant": 40, "wide": 60}).program("read_constants").test_run(data=PACKET)[0] == 100


def test_maps_get_the_sizes_they_were_given(load: Load) -> None:
    obj = load(map_sizes={"table": 77, "ring": 8192}, value_sizes={"arena": 4096})
    assert obj.map("table").max_entries == 77
    assert obj.map("ring").max_entries == 8192
    assert obj.map("arena").value_size == 4096


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ({"map_sizes": {"no_map": 1}}, "no_map"),
        ({"value_sizes": {"no_value": 1}}, "no_value"),
        ({"rodata": {"no_constant": 1}}, "no_constant"),
        ({"rodata": {"counter": 1}}, "counter"),  # a global, but not a constant one
        ({"disabled": {"no_program"}}, "no_program"),
    ],
)
def test_a_name_that_the_object_does_not_have_is_refused(
    image: bytes, option: dict[str, object], name: str
) -> None:
    with pytest.raises(LoadError, match=name):
        BpfObject.open(image, **option)  # type: ignore[arg-type]


def test_what_is_no_object_file_is_refused() -> None:
    with pytest.raises(LoadError, match="not a usable BPF object"):
        BpfObject.open(b"not ELF at all")


def test_a_refused_program_is_named_with_the_verifiers_last_words(image: bytes) -> None:
    with BpfObject.open(image) as obj, pytest.raises(LoadError) as caught:
        obj.load()
    assert caught.value.program == "unsafe_read"
    assert caught.value.errno == errno.EACCES
    assert "invalid access to map value" in caught.value.log


def test_messages_of_one_thread_do_not_reach_anothers_log(
    image: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    faults: list[LoadError] = []

    def refuse() -> None:
        with BpfObject.open(image) as obj:
            try:
                obj.load()
            except LoadError as error:
                faults.append(error)

    threads = [threading.Thread(target=refuse) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [fault.log.count("BEGIN PROG LOAD LOG") for fault in faults] == [1, 1]
    assert capfd.readouterr() == ("", "")


def test_a_disabled_program_is_not_loaded_but_known_by_name(load: Load) -> None:
    obj = load()
    assert "unsafe_read" not in obj.programs
    assert "unsafe_read" in obj.program_names()
    assert obj.program("read_arena").verified_instructions > 0


def test_closing_an_object_closes_all_it_opened(image: bytes) -> None:
    gc.collect()
    before = open_descriptors()
    with BpfObject.open(image, disabled={"unsafe_read"}) as obj:
        obj.load()
        assert open_descriptors() > before
        table = obj.map("table")
    assert open_descriptors() == before
    with pytest.raises(ValueError, match="closed"):
        table.lookup(bytes(4))


def test_a_failed_load_leaves_no_descriptor(image: bytes) -> None:
    gc.collect()
    before = open_descriptors()
    with BpfObject.open(image) as obj, pytest.raises(LoadError):
        obj.load()
    assert open_descriptors() == before


def test_a_task_iterator_sees_every_thread_of_the_process_and_no_other(load: Load) -> None:
    program = load().program("list_tasks")
    stop = threading.Event()
    others = [threading.Thread(target=stop.wait) for _ in range(3)]
    for thread in others:
        thread.start()
    try:
        pidfd = os.pidfd_open(os.getpid())
        try:
            seen = set(struct.iter_unpack("=ii", run_task_iter(program, pidfd)))
        finally:
            os.close(pidfd)
        expected = {(os.getpid(), int(tid)) for tid in os.listdir("/proc/self/task")}
    finally:
        stop.set()
        for thread in others:
            thread.join()
    assert len(seen) >= 4
    assert seen == expected


def test_a_task_iterator_without_a_process_sees_all(load: Load) -> None:
    seen = set(struct.iter_unpack("=ii", run_task_iter(load().program("list_tasks"))))
    assert {(os.getppid(), os.getppid()), (os.getpid(), os.getpid())} <= seen


def test_a_task_iterator_over_what_is_no_process_says_so(load: Load) -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(KernelError, match="starting iterator list_tasks"):
            run_task_iter(load().program("list_tasks"), reader)
    finally:
        os.close(reader)
        os.close(writer)


def test_an_attached_iterator_link_outlives_its_object(image: bytes) -> None:
    with BpfObject.open(image, disabled={"unsafe_read"}) as obj:
        obj.load()
        link = obj.program("list_tasks").attach()
    with link:
        assert link.id > 0
    with pytest.raises(ValueError, match="closed"):
        assert link.id
