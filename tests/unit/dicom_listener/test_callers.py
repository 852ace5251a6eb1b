"""Title and host together; nobody by default where the network can reach us (security S1, S4)."""

import pytest

from casebook.clock import Clock
from casebook.errors import Misconfigured
from casebook.settings import Listener
from dicom_listener.association_request import AssociationRequest, Rejection, ae_title
from dicom_listener.callers import SELF_TEST, Callers, is_loopback, plain_host

LIST = [{"ae_title": "CAMERA", "host": "camera.example"}, {"ae_title": "PACS", "host": "10.0.0.9"}]


def asked(calling: str | None = "CAMERA", called: str | None = "RETINAGATE") -> AssociationRequest:
    return AssociationRequest(1, called, calling, "1.2.840.10008.3.1.1.1", ("1.2.840.10008.1.1",), 16384)


class Names:
    """A name server that can be changed, and counts."""

    def __init__(self) -> None:
        self.known = {"camera.example": frozenset({"10.0.0.5"}), "10.0.0.9": frozenset({"10.0.0.9"})}
        self.asked = 0

    def __call__(self, host: str) -> frozenset[str]:
        self.asked += 1
        return self.known.get(host, frozenset())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1"])
def test_security_S1_an_empty_list_off_loopback_refuses_to_start(host: str, clock: Clock) -> None:
    with pytest.raises(Misconfigured, match=r"listener\.allowed_callers is empty\. List every camera"):
        Callers(Listener(host=host), clock)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "localhost", "::1"])
def test_on_loopback_an_empty_list_means_anyone(host: str, clock: Clock) -> None:
    assert Callers(Listener(host=host), clock).judge(asked("WHOEVER"), "127.0.0.1") is None


@pytest.mark.parametrize(
    ("calling", "host", "rejection"),
    [
        ("CAMERA", "10.0.0.5", None),
        ("PACS", "10.0.0.9", None),
        ("CAMERA", "10.0.0.9", Rejection.CALLER_UNKNOWN),
        ("PACS", "10.0.0.5", Rejection.CALLER_UNKNOWN),
        ("Camera", "10.0.0.5", Rejection.CALLER_UNKNOWN),
        ("STRANGER", "10.0.0.5", Rejection.CALLER_UNKNOWN),
        (None, "10.0.0.5", Rejection.CALLER_UNKNOWN),
        (SELF_TEST, "10.0.0.5", Rejection.CALLER_UNKNOWN),
        (SELF_TEST, "127.0.0.1", None),
    ],
)
def test_security_S4_title_and_host_must_both_be_listed(
    calling: str | None, host: str, rejection: Rejection | None, clock: Clock
) -> None:
    callers = Callers(Listener(host="0.0.0.0", allowed_callers=LIST), clock, resolve=Names())
    assert callers.judge(asked(calling), host) is rejection


def test_security_N12_a_wrong_called_title_is_named_before_the_caller(clock: Clock) -> None:
    callers = Callers(Listener(host="0.0.0.0", allowed_callers=LIST), clock, resolve=Names())
    assert callers.judge(asked("STRANGER", "WRONG"), "10.0.0.5") is Rejection.CALLED_WRONG


def test_security_S4_names_are_looked_up_anew_every_five_minutes(clock: "HandClock") -> None:  # noqa: F821
    names = Names()
    callers = Callers(Listener(host="0.0.0.0", allowed_callers=LIST), clock, resolve=names)
    names.known["camera.example"] = frozenset({"10.0.0.6"})
    assert callers.judge(asked(), "10.0.0.6") is Rejection.CALLER_UNKNOWN
    assert names.asked == 2
    clock.move(300)
    assert callers.judge(asked(), "10.0.0.6") is None
    assert callers.judge(asked(), "10.0.0.5") is Rejection.CALLER_UNKNOWN


def test_a_name_that_is_unknown_for_a_while_keeps_its_addresses(clock: "HandClock") -> None:  # noqa: F821
    names = Names()
    callers = Callers(Listener(host="0.0.0.0", allowed_callers=LIST), clock, resolve=names)
    del names.known["camera.example"]
    clock.move(300)
    assert callers.judge(asked(), "10.0.0.5") is None


@pytest.mark.parametrize(
    ("passcode", "secret", "proves"),
    [(b"s", "s", True), (b"t", "s", False), (None, "s", False), (b"", None, False), (b"None", None, False)],
)
def test_the_self_test_is_proved_by_the_secret_alone(
    passcode: bytes | None, secret: str | None, proves: bool, clock: Clock
) -> None:
    assert Callers(Listener(), clock, secret).proves_self_test(passcode) is proves


def test_addresses_are_compared_in_one_form() -> None:
    assert plain_host("::ffff:10.0.0.5") == "10.0.0.5"
    assert plain_host("fe80::1%eth0") == "fe80::1"
    assert plain_host("0:0:0:0:0:0:0:1") == "::1"
    assert is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("no.such.host.invalid")


@pytest.mark.parametrize(
    ("field", "title"),
    [
        (b"CAMERA          ", "CAMERA"),
        (b"CAMERA\0\0\0\0\0\0\0\0\0\0", "CAMERA"),
        (b"  CAM ERA       ", "CAM ERA"),
        (b" " * 16, None),
        (b"\0" * 16, None),
        (b"CAM\nERA         ", None),
        (b"CAM\\ERA         ", None),
        (b"CAM\x7fERA         ", None),
        (b"CAM\xe9RA          ", None),
        (b"CAM\0ERA         ", None),
    ],
)
def test_a_title_is_printable_ascii_without_a_backslash(field: bytes, title: str | None) -> None:
    assert ae_title(field) == title
