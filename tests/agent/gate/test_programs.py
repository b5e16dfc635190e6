# SPDX-License-Identifier: Apache-2.0
"""What is held is the program, whatever file stands for it: packages are upgraded, runtimes are installed."""

import os
import signal
from pathlib import Path

import pytest

from hauberk.agent.gate.keeper import Gatekeeper
from tests.agent.gate.yard import REFUSED, Yard, until


def assert_held(yard: Yard, keeper: Gatekeeper, program: Path) -> None:
    held = yard.execute(program)
    keeper.answer(*until(keeper, 1), False)
    assert held.end() == REFUSED


@pytest.mark.parametrize("name", ["runc.dpkg-new", "runc;65e0c1f2", ".runc.Xy12Zw"])
def test_a_new_file_is_held_before_it_has_the_programs_name(yard: Yard, name: str) -> None:
    keeper = yard.keeper()
    new = yard.copy(yard.directory / name)
    yard.gate_is_up_to_date(keeper)
    os.kill(keeper.pid, signal.SIGSTOP)
    new.rename(yard.program)
    held = yard.execute()
    held.waits_or_has_ended()
    os.kill(keeper.pid, signal.SIGCONT)
    assert held.waits
    keeper.answer(*until(keeper, 1), False)
    assert held.end() == REFUSED


def test_a_file_that_comes_from_elsewhere_is_held_when_it_has_the_programs_name(yard: Yard) -> None:
    keeper = yard.keeper()
    (yard.directory / "build").mkdir()
    yard.copy(yard.directory / "build" / "new").rename(yard.program)
    yard.gate_is_up_to_date(keeper)
    assert_held(yard, keeper, yard.program)


def test_a_file_that_is_written_anew_is_held(yard: Yard) -> None:
    keeper = yard.keeper()
    yard.copy(yard.program)
    assert_held(yard, keeper, yard.program)
    yard.program.unlink()
    yard.copy(yard.program)
    yard.gate_is_up_to_date(keeper)
    assert_held(yard, keeper, yard.program)


def test_a_program_that_is_installed_later_is_held(yard: Yard) -> None:
    youki = yard.directory / "youki"
    keeper = yard.keeper([yard.program, yard.other, youki])
    assert str(youki) not in keeper.held
    yard.copy(youki)
    yard.gate_is_up_to_date(keeper)
    assert_held(yard, keeper, youki)


def test_a_link_that_leads_to_another_file_is_followed(yard: Yard) -> None:
    first, second = yard.directory / "1" / "oci-1", yard.directory / "2" / "oci-2"
    for target in (first, second):
        target.parent.mkdir()
        yard.copy(target)
    link = yard.directory / "oci"
    link.symlink_to(first)
    keeper = yard.keeper([link, yard.other])
    assert_held(yard, keeper, first)
    beside = yard.directory / "new"
    beside.symlink_to(second)
    beside.rename(link)
    yard.gate_is_up_to_date(keeper)
    assert_held(yard, keeper, link)
    # And the directory that it leads to now is watched.
    yard.copy(yard.directory / "third").rename(second)
    yard.gate_is_up_to_date(keeper)
    assert_held(yard, keeper, link)


def test_every_name_of_the_file_is_held(yard: Yard) -> None:
    keeper = yard.keeper()
    name = yard.directory / "name"
    os.link(yard.program, name)
    assert_held(yard, keeper, name)


def test_a_file_stays_held_when_only_one_of_its_names_is_dropped(yard: Yard) -> None:
    (yard.directory / "bin").symlink_to(yard.directory)
    name = yard.directory / "bin" / "runc"
    keeper = yard.keeper([name, yard.program, yard.other])
    keeper.hold([yard.program, yard.other])
    assert_held(yard, keeper, yard.program)


def test_a_directory_that_is_not_there_is_no_fault(yard: Yard) -> None:
    keeper = yard.keeper([yard.directory / "none" / "runc", yard.other])
    assert (keeper.held, keeper.faults) == ((str(yard.other),), ())
    (yard.directory / "none").mkdir()
    program = yard.copy(yard.directory / "none" / "runc")
    keeper.hold([program, yard.other])
    assert keeper.held == (str(yard.other), str(program))
    assert_held(yard, keeper, program)


def test_a_directory_that_went_and_came_again_is_watched_after_the_next_orders(yard: Yard) -> None:
    place = yard.directory / "bin"
    place.mkdir()
    program = yard.copy(place / "runc")
    keeper = yard.keeper([program, yard.other])
    program.unlink()
    place.rmdir()
    yard.gate_is_up_to_date(keeper)
    place.mkdir()
    keeper.hold([program, yard.other])
    yard.copy(program)
    yard.gate_is_up_to_date(keeper)
    assert_held(yard, keeper, program)
