"""TLS: 1.2 or 1.3, certificates on demand, never plain, and the handshake is the connection's own business (S3, W8)."""

import os
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import raw_association as raw
from certificates import Certificates, Pair
from flood import CLIENT_HELLO_BEGUN
from listening import SHORT, Place, until
from raw_association import COMMAND, LAST, P_DATA, RawAssociation, c_echo, fragment, pdu

from casebook import telemetry
from casebook.errors import Misconfigured
from dicom_listener.tls import server_context
from dicom_listener.wake import LONGEST_SECONDS

TLS_1_1, TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
def ciphered(certified: Certificates) -> ssl.SSLContext:
    """Give a listener's context that asks nobody for a certificate."""
    return server_context(certified.listener.certificate, certified.listener.key)


@pytest.fixture
def strict(certified: Certificates) -> ssl.SSLContext:
    """Give a listener's context that asks everybody for one."""
    return server_context(certified.listener.certificate, certified.listener.key, certified.authority)


def failed_handshakes() -> float:
    labels = {"caller": "other", "outcome": "handshake_failed"}
    return telemetry.REGISTRY.get_sample_value("retinagate_associations_total", labels) or 0.0


def echoes(place: Place, client: ssl.SSLContext) -> bool:
    with RawAssociation(place.address, tls=client) as peer:
        answer = peer.associate()
        return answer is not None and answer[0] == raw.AC and peer.echo() == 0


@pytest.fixture
def one_failure() -> Iterator[None]:
    """Expect one failed handshake, no more and no less."""
    before = failed_handshakes()
    yield
    assert until(lambda: failed_handshakes() == before + 1)


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_security_S3_tls_1_2_and_1_3_are_spoken(
    listen: Callable[..., Place], ciphered: ssl.SSLContext, certified: Certificates, version: ssl.TLSVersion
) -> None:
    place = listen(tls=ciphered)
    with RawAssociation(place.address, tls=certified.client(newest=version)) as camera:
        assert isinstance(camera.socket, ssl.SSLSocket)
        assert camera.socket.version() == version.name.replace("_", ".")
        camera.associate()
        assert camera.store() == 0
        assert camera.release() == (raw.RELEASE_RP, b"\0" * 4)
    assert place.counts() == (1, 1)


def test_security_S3_with_an_authority_a_certificate_of_its_own_is_enough(
    listen: Callable[..., Place], strict: ssl.SSLContext, certified: Certificates
) -> None:
    assert echoes(listen(tls=strict), certified.client(certified.camera))


@pytest.mark.usefixtures("one_failure")
@pytest.mark.parametrize("shown", [None, "expired", "foreign"])
@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_security_N10_another_certificate_or_none_gets_an_alert(
    listen: Callable[..., Place],
    strict: ssl.SSLContext,
    certified: Certificates,
    shown: str | None,
    version: ssl.TLSVersion,
    capfd: pytest.CaptureFixture[str],
) -> None:
    place = listen(tls=strict)
    pair: Pair | None = getattr(certified, shown) if shown else None
    with pytest.raises(ssl.SSLError, match="ALERT"):  # in TLS 1.3 it comes behind the handshake
        echoes(place, certified.client(pair, newest=version))
    assert capfd.readouterr().err == ""  # no traceback


@pytest.mark.usefixtures("one_failure")
def test_security_N10_tls_1_1_gets_an_alert(
    listen: Callable[..., Place], ciphered: ssl.SSLContext, certified: Certificates
) -> None:
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        echoes(listen(tls=ciphered), certified.client(newest=TLS_1_1))


@pytest.mark.usefixtures("one_failure")
def test_security_N10_a_tls_port_never_speaks_plain(listen: Callable[..., Place], ciphered: ssl.SSLContext) -> None:
    place = listen(tls=ciphered)
    with RawAssociation(place.address) as plain:
        plain.send(raw.association_request())
        received = b""
        while part := plain.socket.recv(4096):
            received += part
        assert received[:1] in (b"", b"\x15")  # nothing, or a TLS alert
    assert place.listener.associations == 0


def test_security_N6_a_plain_port_aborts_a_client_of_tls(place: Place, certified: Certificates) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        echoes(place, certified.client())


@pytest.mark.usefixtures("one_failure")
@pytest.mark.parametrize("beginning", [b"", CLIENT_HELLO_BEGUN], ids=["nothing", "half a ClientHello"])
def test_security_N9_a_handshake_that_stops_goes_at_the_deadline(
    listen: Callable[..., Place], ciphered: ssl.SSLContext, beginning: bytes
) -> None:
    place = listen(limits=SHORT, tls=ciphered)
    with RawAssociation(place.address) as silent:
        silent.send(beginning)
        began = time.monotonic()
        assert silent.is_closed()
        assert time.monotonic() - began < SHORT.request_seconds + 1.0


def test_security_N9_handshake_and_request_have_one_deadline(
    listen: Callable[..., Place], ciphered: ssl.SSLContext, certified: Certificates
) -> None:
    place = listen(limits=SHORT, tls=ciphered)
    began = time.monotonic()
    with RawAssociation(place.address, tls=certified.client()) as silent:
        silent.send(raw.association_request()[:-1])
        assert silent.is_closed()
    assert time.monotonic() - began < SHORT.request_seconds + 1.0


def test_security_W8_silent_clients_do_not_keep_a_camera_out_and_the_oldest_go(
    listen: Callable[..., Place], ciphered: ssl.SSLContext, certified: Certificates
) -> None:
    place = listen(bounds={"request_seconds": 30.0}, tls=ciphered)
    silent = [RawAssociation(place.address) for _ in range(50)]
    try:
        began = time.monotonic()
        for _ in range(5):
            assert echoes(place, certified.client())
        assert time.monotonic() - began < 5.0
        for peer in silent[:30]:
            assert peer.is_closed()  # evicted in the middle of the handshake
    finally:
        for peer in silent:
            peer.close()


def test_bytes_that_are_deciphered_already_do_not_wait(
    listen: Callable[..., Place], ciphered: ssl.SSLContext, certified: Certificates
) -> None:
    place = listen(tls=ciphered)
    asked = 20
    with RawAssociation(place.address, tls=certified.client()) as camera:
        camera.associate()
        began = time.monotonic()
        # One TLS record holds them all: the kernel has nothing more to tell of behind the first.
        camera.send(pdu(P_DATA, fragment(1, COMMAND | LAST, c_echo())) * asked)
        assert [camera.status() for _ in range(asked)] == [(0x8030, 0)] * asked
        assert time.monotonic() - began < asked * LONGEST_SECONDS / 4


def test_a_large_object_arrives_ciphered(
    listen: Callable[..., Place], ciphered: ssl.SSLContext, certified: Certificates
) -> None:
    place = listen(tls=ciphered)
    data = raw.data_set(pixels=os.urandom(20_000_000))
    with RawAssociation(place.address, tls=certified.client()) as camera:
        camera.associate()
        began = time.monotonic()
        assert camera.store(data=data) == 0
        assert time.monotonic() - began < 10.0
    (stored,) = place.objects()
    assert (place.archive.root / stored).read_bytes().endswith(data)


def test_R19_a_ciphered_association_ends_with_the_listener(
    listen: Callable[..., Place], ciphered: ssl.SSLContext, certified: Certificates
) -> None:
    place = listen(tls=ciphered)
    with RawAssociation(place.address, tls=certified.client()) as camera:
        camera.associate()
        place.listener.stop()
        answer = camera.receive()
        assert answer is not None
        assert answer[0] == raw.ABORT


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_security_S3_a_key_that_others_can_read_is_refused(certified: Certificates, tmp_path: Path, mode: int) -> None:
    key = Path(shutil.copy(certified.listener.key, tmp_path / "key.pem"))
    key.chmod(mode)
    with pytest.raises(Misconfigured, match=r"can be read by others\. Run chmod 600"):
        server_context(certified.listener.certificate, key)


def _ciphered_key(folder: Path) -> Path:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = folder / "ciphered.key"
    key.touch(mode=0o600)
    key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return key


@pytest.mark.parametrize(
    "change",
    [
        lambda files, folder: {**files, "certificate": folder / "none.pem"},
        lambda files, folder: {**files, "key": folder / "none.pem"},
        lambda files, folder: {**files, "authority": folder / "none.pem"},
        lambda files, folder: {**files, "certificate": files["authority"]},
        lambda files, folder: {**files, "key": _ciphered_key(folder)},
    ],
    ids=["no certificate", "no key", "no authority", "another's certificate", "a key with a passphrase"],
)
def test_security_S3_files_that_cannot_be_used_are_named_with_the_remedy(
    certified: Certificates, tmp_path: Path, change: Callable[..., dict[str, Any]]
) -> None:
    files = {
        "certificate": certified.listener.certificate,
        "key": certified.listener.key,
        "authority": certified.authority,
    }
    with pytest.raises(Misconfigured, match=r"cannot be read\. Give PEM files that exist"):
        server_context(**change(files, tmp_path))
