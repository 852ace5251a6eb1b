"""While a crowd of hostile connections from the same address does its worst, DCMTK is answered within two seconds.

The listener has the limits it ships with and a process of its own, which afterwards holds no more than before.
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import certificates
import pytest
import raw_association as raw
from certificates import Certificates
from flood import MANNERS, TLS_MANNERS, Flood, Manner, crowd
from listener_process import Holding, ListenerProcess
from listening import until
from raw_association import COMMAND, LAST, OPHTHALMIC, P_DATA, RawAssociation, c_store, data_set, fragment, pdu

pytestmark = [pytest.mark.peer("dcmtk"), pytest.mark.timeout(300)]

Program = Callable[[str], str]
MOST_SECONDS = 2.0
OF_EACH_KIND = 50


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[ListenerProcess]:
    with ListenerProcess(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def ciphered(tmp_path: Path, certified: Certificates) -> Iterator[ListenerProcess]:
    pair = certified.listener
    with ListenerProcess(tmp_path, "--tls", str(pair.certificate), str(pair.key)) as running:
        yield running


def worst_answer(asks: Sequence[Callable[[], None]], seconds: float) -> float:
    """Ask again and again, each way in turn, and return how long the slowest answer took."""
    worst, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        for ask in asks:
            began = time.monotonic()
            ask()
            worst = max(worst, time.monotonic() - began)
    return worst


def asks_of(listener: ListenerProcess, echoscu: str, certified: Certificates | None = None) -> list[Callable[[], None]]:
    """Return how DCMTK and a raw client ask whether the listener is there; each fails without an answer."""
    options = ["+tla", "+cf", str(certified.authority)] if certified else []

    def dcmtk() -> None:
        command = [echoscu, "-to", "10", "-ta", "10", "-aec", "RETINAGATE", *options, "127.0.0.1", listener.port]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert asked.returncode == 0, asked.stdout + asked.stderr

    def raw_client() -> None:
        with RawAssociation(listener.address, timeout=10.0, tls=certified.client() if certified else None) as camera:
            answer = camera.associate()
            assert answer is not None
            assert answer[0] == raw.AC
            assert camera.echo() == 0
            assert camera.release() is not None

    return [dcmtk, raw_client]


def settled(listener: ListenerProcess, asks: Sequence[Callable[[], None]]) -> Holding:
    """Return what an idle listener holds that has answered before."""
    for ask in asks:
        ask()
    least = listener.holds()

    def is_still() -> bool:
        nonlocal least
        now = listener.holds()
        still, least = now[:2] == least[:2], now
        return still

    assert until(lambda: is_still() and least.threads <= 6)
    return least


def assert_holds_no_more(listener: ListenerProcess, before: Holding) -> None:
    assert until(lambda: listener.holds()[:2] <= before[:2], 30.0), (before, listener.holds())
    assert listener.holds().memory_kib < before.memory_kib + 40_000


@pytest.mark.parametrize("kind", MANNERS)
def test_security_N7_fifty_of_a_kind_keep_nobody_out(listener: ListenerProcess, program: Program, kind: str) -> None:
    asks = asks_of(listener, program("echoscu"))
    before = settled(listener, asks)
    with Flood(listener.address, crowd([MANNERS[kind]], OF_EACH_KIND)) as flood:
        assert until(lambda: flood.opened >= OF_EACH_KIND)
        assert worst_answer(asks, 4.0) < MOST_SECONDS
    assert_holds_no_more(listener, before)


def test_security_N7_fifty_of_every_kind_at_once_keep_nobody_out(listener: ListenerProcess, program: Program) -> None:
    asks = asks_of(listener, program("echoscu"))
    before = settled(listener, asks)
    with Flood(listener.address, crowd(list(MANNERS.values()), OF_EACH_KIND)) as flood:
        assert until(lambda: flood.opened >= len(MANNERS) * OF_EACH_KIND)
        assert worst_answer(asks, 13.0) < MOST_SECONDS  # longer than the deadlines, which bring the next of N20
    assert_holds_no_more(listener, before)


@pytest.mark.parametrize("stays", [False, True], ids=["closed at once", "left"])
def test_security_N8_two_hundred_connections_a_second_keep_nobody_out(
    listener: ListenerProcess, program: Program, stays: bool
) -> None:
    asks = asks_of(listener, program("echoscu"))
    before = settled(listener, asks)
    with Flood(listener.address, [Manner(closes_at_once=not stays)] * 50, pause=0.2) as flood:
        began = time.monotonic()
        assert worst_answer(asks, 4.0) < MOST_SECONDS
        assert flood.opened > 100 * (time.monotonic() - began)
    assert_holds_no_more(listener, before)


@pytest.mark.parametrize("kind", TLS_MANNERS)
def test_security_N9_N10_fifty_of_a_kind_keep_nobody_out_of_a_tls_port(
    ciphered: ListenerProcess, program: Program, certified: Certificates, kind: str
) -> None:
    asks = asks_of(ciphered, program("echoscu"), certified)
    before = settled(ciphered, asks)
    with Flood(ciphered.address, crowd([TLS_MANNERS[kind]], OF_EACH_KIND)) as flood:
        assert until(lambda: flood.opened >= OF_EACH_KIND)
        assert worst_answer(asks, 4.0) < MOST_SECONDS
    assert_holds_no_more(ciphered, before)


def test_security_N25_a_thousand_objects_sent_ahead_cost_no_memory_and_are_all_answered(
    listener: ListenerProcess,
) -> None:
    sent, pixels = 1000, b"\0" * 100_000
    with RawAssociation(listener.address, timeout=60.0) as camera:
        camera.associate()
        assert camera.store() == 0
        before = listener.holds()

        def send_ahead() -> None:
            for number in range(sent):
                uid = f"1.2.3.4.{number}"
                command = fragment(3, COMMAND | LAST, c_store(OPHTHALMIC, uid))
                data = fragment(3, LAST, data_set(sop_instance=uid, pixels=pixels))
                camera.send(pdu(P_DATA, command) + pdu(P_DATA, data))

        sending = threading.Thread(target=send_ahead)
        sending.start()
        statuses = [camera.status()[1] for _ in range(sent)]
        sending.join()
    assert statuses.count(0) == sent
    assert listener.peak_memory_kib() < before.memory_kib + 40_000
