"""Failures: the table of R6, row by row, each with a sentence a person can act on."""

import pytest

from casebook.deliveries import Attempt, Effect
from casebook.settings import Destination
from casebook.words import Unreachable
from reporting import failures
from reporting.failures import Rejection

PACS = Destination(name="pacs", ae_title="PACS", host="10.0.0.7", port=104)


@pytest.mark.parametrize(
    ("status", "effect"),
    [
        (0x0000, Effect.DELIVERED), (0xB000, Effect.DELIVERED), (0xB006, Effect.DELIVERED), (0xB007, Effect.DELIVERED),
        (0xA700, Effect.TRANSIENT), (0xA7FF, Effect.TRANSIENT),
        (0xA900, Effect.PERMANENT), (0xA9FF, Effect.PERMANENT), (0xC000, Effect.PERMANENT), (0xC211, Effect.PERMANENT),
        (0xCFFF, Effect.PERMANENT), (0x0110, Effect.PERMANENT), (0x0117, Effect.PERMANENT), (0x0122, Effect.PERMANENT),
        (0x0124, Effect.PERMANENT), (0x0211, Effect.PERMANENT),
        (0x0001, Effect.UNKNOWN), (0xB123, Effect.UNKNOWN), (0xA800, Effect.UNKNOWN), (0xFF00, Effect.UNKNOWN),
    ],
)  # fmt: skip
def test_R6_every_status_has_its_class(status: int, effect: Effect) -> None:
    attempt = failures.judge_status(status)
    assert attempt.effect is effect
    assert attempt.status == status
    assert not attempt.breaks_lane


def test_R6_only_four_statuses_ever_count_as_sent() -> None:
    delivered = [status for status in range(0x10000) if failures.judge_status(status).effect is Effect.DELIVERED]
    assert delivered == [0x0000, 0xB000, 0xB006, 0xB007]


def test_a_plain_success_says_nothing_and_a_warning_keeps_its_text() -> None:
    assert failures.judge_status(0x0000).sentence == ""
    assert failures.judge_status(0xB000, "name shortened").sentence == (
        "Stored, but the destination changed some values (status B000). It says: name shortened."
    )


@pytest.mark.parametrize(
    ("rejection", "effect", "sentence"),
    [
        (Rejection(2, 3, 1), Effect.TRANSIENT, "it is too busy for a connection. It will be tried again; let it take"),
        (Rejection(2, 3, 2), Effect.TRANSIENT, "it is too busy for a connection. It will be tried again; let it take"),
        (
            Rejection(1, 1, 3),
            Effect.CONFIGURATION,
            "it refuses the connection, for it does not know RETINAGATE. Add the AE title RETINAGATE and this host there.",
        ),
        (
            Rejection(1, 1, 7),
            Effect.CONFIGURATION,
            "it refuses the connection, for it is not called PACS. Correct its ae_title in the settings.",
        ),
        (Rejection(1, 1, 1), Effect.CONFIGURATION, "it refuses the connection. Check there whether RETINAGATE may"),
        (Rejection(1, 2, 2), Effect.CONFIGURATION, "it refuses the connection. Check there whether RETINAGATE may"),
    ],
)
def test_R6_a_refused_association_is_for_now_or_for_the_settings(
    rejection: Rejection, effect: Effect, sentence: str
) -> None:
    attempt = failures.judge(PACS, failures.rejected(PACS, rejection, "RETINAGATE"), breaks_lane=True)
    assert attempt.effect is effect
    assert attempt.breaks_lane
    assert attempt.sentence.startswith(f"pacs (PACS at 10.0.0.7:104): {sentence}")


@pytest.mark.parametrize(
    "attempt",
    [
        failures.judge_silence(PACS, 60),
        failures.judge_break(PACS),
        *(failures.judge(PACS, failures.unreachable(why), breaks_lane=True) for why in Unreachable),
        failures.judge(PACS, failures.echo_refused(None), breaks_lane=True),
    ],
)
def test_R6_silence_and_broken_connections_pass_and_concern_the_lane(attempt: Attempt) -> None:
    assert attempt.effect is Effect.TRANSIENT
    assert attempt.breaks_lane
    assert "It will be tried again" in attempt.sentence


@pytest.mark.parametrize(
    ("result", "what"),
    [
        (3, "it does not take Secondary Capture Image Storage (overlay)"),
        (4, "it does not take Secondary Capture Image Storage in JPEG Baseline (overlay)"),
    ],
)
def test_R6_a_class_that_is_not_taken_concerns_that_product_alone(result: int, what: str) -> None:
    fault = failures.not_taken("overlay", "Secondary Capture Image Storage", "JPEG Baseline", result)
    attempt = failures.judge(PACS, fault, breaks_lane=False)
    assert attempt.effect is Effect.CONFIGURATION
    assert not attempt.breaks_lane
    assert attempt.sentence == (
        f"pacs (PACS at 10.0.0.7:104): {what}. Allow it there, or remove it from the destination's products "
        "in the settings."
    )


def test_R6_an_answer_without_a_status_is_never_success() -> None:
    assert failures.judge_empty_status().effect is Effect.UNKNOWN
