# SPDX-License-Identifier: Apache-2.0
"""gRPC with TLS: who has a certificate is let in, with the certificates that `hauberk certificates` makes."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner

from hauberk.agent.config.certificates import CertificateError, make
from hauberk.agent.feeder.wire import Grpc
from hauberk.cli.certificates import certificates
from tests.agent.feeder.grpc.served import SECONDS, Served, alert, free_port, health_check, watch

pytestmark = pytest.mark.grpc


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("tls")
    make(found, ["node.example.org", "192.0.2.1"], 30)
    return found


@pytest.fixture
def served(directory: Path) -> Iterator[Served]:
    with Served(Grpc(address="0.0.0.0", port=free_port(), certificates=str(directory))) as found:
        yield found


def credentials(directory: Path, role: str = "client", ca: Path | None = None) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        ((ca or directory) / "ca.crt").read_bytes(),
        (directory / f"{role}.key").read_bytes(),
        (directory / f"{role}.crt").read_bytes(),
    )


def refused(channel: grpc.Channel) -> bool:
    try:
        channel.unary_unary("/feeder.LogService/HealthCheck")(b"", timeout=SECONDS)
    except grpc.RpcError as error:
        return error.code() is grpc.StatusCode.UNAVAILABLE
    return False


def test_who_has_a_certificate_gets_everything(served: Served, directory: Path) -> None:
    with grpc.secure_channel(served.address, credentials(directory)) as channel:
        assert health_check(channel) == 7
        stream = watch(channel, "WatchAlerts")
        served.publish([alert(Resource="/a")])
        assert next(stream).Resource == "/a"
        # There is no agent behind it, but the caller is let in.
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/policy.ProbeService/getProbeData")(b"", timeout=SECONDS)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "no agent listens" in (caught.value.details() or "")
    assert list(served.service.listening) == [f"gRPC with TLS at 0.0.0.0:{served.asked.port}"]


def test_nobody_else_gets_anything(served: Served, directory: Path, tmp_path: Path) -> None:
    make(tmp_path, [], 30)
    trusted = (directory / "ca.crt").read_bytes()
    with grpc.insecure_channel(served.address) as plain:
        assert refused(plain)
    for offered in (
        grpc.ssl_channel_credentials(trusted),
        credentials(tmp_path, ca=directory),
        credentials(directory, role="server"),
    ):
        with grpc.secure_channel(served.address, offered) as channel:
            assert refused(channel)


def test_the_server_is_known_by_its_names_and_no_others(served: Served, directory: Path) -> None:
    for name, is_refused in (("node.example.org", False), ("other.example.org", True)):
        option = (("grpc.ssl_target_name_override", name),)
        with grpc.secure_channel(served.address, credentials(directory), option) as channel:
            assert refused(channel) is is_refused


@pytest.mark.parametrize("missing", ["ca.crt", "server.crt", "server.key"])
def test_without_certificates_nothing_is_served_until_they_are_there(tmp_path: Path, missing: str) -> None:
    make(tmp_path, [], 30)
    kept = (tmp_path / missing).rename(tmp_path / "kept")
    with Served(Grpc(address="127.0.0.1", port=free_port(), certificates=str(tmp_path))) as served:
        (finding,) = served.service.findings
        assert f"the certificates in {tmp_path} cannot be read" in finding
        assert "`hauberk certificates` makes them" in finding
        (tmp_path / missing).write_text("no certificate\n")
        served.until(lambda: any("cannot be used" in each for each in served.service.findings))
        kept.rename(tmp_path / missing)
        served.until(lambda: not served.service.findings)


def test_keys_are_for_their_owner_alone(directory: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert modes == {f"{role}.key": 0o600 for role in ("ca", "server", "client")} | {
        f"{role}.crt": 0o644 for role in ("ca", "server", "client")
    }


def test_renewing_keeps_the_ca(tmp_path: Path) -> None:
    make(tmp_path, [], 30)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CertificateError, match=r"is there already"):
        make(tmp_path, [], 30)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    make(tmp_path, [], 30, renew=True)
    same = {name for name, data in before.items() if (tmp_path / name).read_bytes() == data}
    assert same == {"ca.crt", "ca.key"}


def test_the_command_names_what_it_wrote(tmp_path: Path) -> None:
    directory = tmp_path / "tls"
    done = CliRunner().invoke(certificates, ["--directory", str(directory), "--name", "::2"])
    assert done.exit_code == 0, done.output
    assert set(done.output.split()) == {str(path) for path in directory.iterdir()}
    assert directory.stat().st_mode & 0o777 == 0o700
    with pytest.raises(CertificateError, match="neither"):
        make(tmp_path / "other", ["a\u00e9"], 1)
