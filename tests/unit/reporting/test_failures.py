"""Failures: the table of R6, row by row, each with a sentence a person can act on."""

import pytest

from casebook.deliveries import Attempt, Effect
from casebook.settings import Destination
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
    ("rejection", "effect", "remedy"),
    [
        (Rejection(2, 3, 1), Effect.TRANSIENT, "It will be tried again."),
        (Rejection(2, 3, 2), Effect.TRANSIENT, "It will be tried again."),
        (Rejection(1, 1, 3), Effect.CONFIGURATION, "add the AE title RETINAGATE"),
        (Rejection(1, 1, 7), Effect.CONFIGURATION, "It is not called PACS: correct its ae_title in the settings."),
        (Rejection(1, 1, 1), Effect.CONFIGURATION, "whether RETINAGATE may connect"),
        (Rejection(1, 2, 2), Effect.CONFIGURATION, "whether RETINAGATE may connect"),
    ],
)
def test_R6_a_refused_association_is_for_now_or_for_the_settings(
    rejection: Rejection, effect: Effect, remedy: str
) -> None:
    attempt = failures.judge_rejection(PACS, rejection, "RETINAGATE")
    assert attempt.effect is effect
    assert attempt.breaks_lane
    assert remedy in attempt.sentence
    assert "pacs (PACS at 10.0.0.7:104)" in attempt.sentence


@pytest.mark.parametrize(
    "attempt",
    [failures.judge_silence(PACS, 60), failures.judge_break(PACS), failures.judge_unreachable(PACS)],
)
def test_R6_silence_and_broken_connections_pass_and_concern_the_lane(attempt: Attempt) -> None:
    assert attempt.effect is Effect.TRANSIENT
    assert attempt.breaks_lane
    assert "It will be tried again" in attempt.sentence


def test_R6_a_class_that_is_not_taken_concerns_that_product_alone() -> None:
    attempt = failures.judge_no_context(PACS, "overlay")
    assert attempt.effect is Effect.CONFIGURATION
    assert not attempt.breaks_lane
    assert "(overlay). Allow it there, or remove it" in attempt.sentence


def test_R6_an_answer_without_a_status_is_never_success() -> None:
    assert failures.judge_empty_status().effect is Effect.UNKNOWN
