# SPDX-License-Identifier: Apache-2.0
"""Which kernel a name means, without asking any archive."""

from pathlib import Path

import pytest

from hauberk.lab import kernels
from hauberk.lab.errors import KernelNotFoundError, MissingToolError

LISTING = """\
linux-image-6.1.0-9-amd64 - Linux 6.1 for 64-bit PCs (signed)
linux-image-6.1.0-56-amd64-unsigned - Linux 6.1 for 64-bit PCs
linux-image-6.1.0-56-amd64 - Linux 6.1 for 64-bit PCs (signed)
linux-image-6.1.0-57-amd64-dbg - Debug symbols
linux-image-6.1.0-57-cloud-amd64 - Linux 6.1 for x86-64 cloud
linux-image-6.1.0-57-rt-amd64 - Linux 6.1 for 64-bit PCs, PREEMPT_RT
linux-image-6.12.9+bpo-amd64 - Linux 6.12 for 64-bit PCs (signed)
linux-image-6.12.117+deb12-amd64-unsigned - Linux 6.12 for 64-bit PCs
linux-image-6.12.117+deb12-cloud-amd64-unsigned - Linux 6.12 for cloud
linux-image-6.12-amd64 - Linux for 64-bit PCs (meta-package)
"""


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "run_tool", lambda command, cwd=None: LISTING)
    monkeypatch.setattr(kernels.shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("apt")
def test_the_newest_full_image_of_a_series_is_taken() -> None:
    assert kernels.newest_package("6.1") == "linux-image-6.1.0-56-amd64"
    assert kernels.newest_package("6.12") == "linux-image-6.12.117+deb12-amd64-unsigned"
    assert kernels.newest_package("6.11") == ""


def test_the_release_of_a_package_is_its_name_without_the_signature() -> None:
    assert kernels.package_release("linux-image-6.12.117+deb12-amd64-unsigned") == "6.12.117+deb12-amd64"
    for other in (
        "linux-image-6.1.0-57-cloud-amd64",
        "linux-image-6.1.0-57-rt-amd64",
        "linux-image-6.12-amd64",
    ):
        assert kernels.package_release(other) == ""


def unpacked(base: Path, *releases: str, image: str) -> Path:
    for release in releases:
        (base / "lib/modules" / release).mkdir(parents=True)
        (base / "lib/modules" / release / "modules.dep").touch()
    (base / "boot").mkdir()
    (base / "boot" / image).touch()
    return base / "boot" / image


def test_an_image_brings_the_modules_of_its_release(tmp_path: Path) -> None:
    image = unpacked(tmp_path, "6.5.1", "6.5.2", image="vmlinuz-6.5.2")
    expected = kernels.Kernel("6.5.2", image, tmp_path / "lib/modules/6.5.2")
    assert kernels.kernel_at(image) == expected
    assert kernels.kernel_at(tmp_path) == expected
    assert kernels.find_kernel(str(image), print) == expected
    assert expected.modules_parent == tmp_path / "lib/modules"


def test_an_image_with_any_other_name_takes_the_only_modules_there_are(tmp_path: Path) -> None:
    assert kernels.kernel_at(unpacked(tmp_path, "6.5.1", image="bzImage")).release == "6.5.1"


def test_an_image_without_its_modules_is_refused(tmp_path: Path) -> None:
    image = unpacked(tmp_path, image="vmlinuz-6.5.2")
    with pytest.raises(KernelNotFoundError, match="no modules") as caught:
        kernels.kernel_at(image)
    assert "depmod" in caught.value.remedy


def test_an_image_among_several_sets_of_modules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KernelNotFoundError, match="several"):
        kernels.kernel_at(unpacked(tmp_path, "6.5.1", "6.5.2", image="bzImage"))


def test_a_name_that_is_neither_series_nor_path_says_what_to_use() -> None:
    with pytest.raises(KernelNotFoundError, match="newest") as caught:
        kernels.find_kernel("newest", print)
    assert "6.12" in caught.value.remedy


@pytest.mark.usefixtures("apt")
def test_a_series_that_apt_does_not_know_is_an_error_after_one_update(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HAUBERK_CACHE", str(tmp_path))
    updates: list[str] = []
    with pytest.raises(KernelNotFoundError, match=r"series 5\.99"):
        kernels.find_kernel("5.99", updates.append)
    assert updates == ["updating apt's index"]


def test_a_cached_kernel_needs_no_apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HAUBERK_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "run_tool", None)
    for release in ("6.1.0-9-amd64", "6.1.0-10-amd64", "6.12.1-amd64"):
        unpacked(tmp_path / "kernels" / release, release, image=f"vmlinuz-{release}")
    assert kernels.find_kernel("6.1", print).release == "6.1.0-10-amd64"


def test_a_tool_that_is_missing_is_named_with_a_remedy() -> None:
    with pytest.raises(MissingToolError, match="no-such-tool") as caught:
        kernels.run_tool(["no-such-tool"])
    assert "path of a kernel image" in caught.value.remedy
