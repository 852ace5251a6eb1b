"""Delivery to a PACS that misbehaves: every status is read, and rows say what happens next (R6, R7, R9)."""

import io
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from graded_case import Shot, healthy, jpeg
from hostile_pacs import (
    ABORT,
    COMPREHENSIVE_3D_SR,
    EXPLICIT,
    HANG,
    IMPLICIT,
    NO_STATUS,
    SECONDARY_CAPTURE,
    HostilePacs,
    hostile_pacs,
)
from private_orthanc import free_port
from pydicom import dcmread
from pydicom.filereader import read_file_meta_info
from reporting_desk import Desk
from sqlalchemy import select, update

from casebook.models import AttentionRow, File, Heatmap, Job
from casebook.words import Attention, JobState, Laterality
from reporting.store import Limits

R, L = Laterality.RIGHT, Laterality.LEFT
SHORT = Limits(connect=1.0, associate=1.0, answer=0.4)


@pytest.fixture
def desk(desk_for: Callable[..., Desk]) -> Callable[..., Desk]:
    """Give a desk with one case of three results, reported and due for the PACS."""

    def make(port: int, **options: Any) -> Desk:
        made = desk_for(port, **options)
        made.case(Shot(R, 3), healthy(L))
        made.work()
        return made

    return make


def states(desk: Desk) -> list[tuple[str, int, int | None]]:
    return [(str(row.state), row.attempts, row.last_status) for row in desk.deliveries()]


def lane(desk: Desk) -> Job:
    with desk.database.reading() as t:
        return t.scalars(select(Job).where(Job.subject == "pacs").order_by(Job.id.desc())).first()  # type: ignore[return-value]


def asking(desk: Desk) -> bool:
    with desk.database.reading() as t:
        return t.scalar(select(AttentionRow.id).where(
            AttentionRow.reason == Attention.DELIVERY_FAILED, AttentionRow.cleared_at.is_(None))) is not None  # fmt: skip


def next_try(desk: Desk) -> None:
    """Move to the moment at which everything that waits is due, and let the sweep's question wake the lane."""
    from casebook import deliveries

    desk.clock.move(deliveries.LONGEST_DELAY + deliveries.FIRST_DELAY)
    with desk.database.transaction() as t:
        deliveries.wake(t, "pacs", desk.clock.now())
    desk.send(limits=SHORT)


def test_P34_everything_due_goes_over_one_association_and_the_bytes_are_the_files(desk: Callable[..., Desk]) -> None:
    with hostile_pacs() as pacs:
        made = desk(pacs.port)
        made.send()
        assert pacs.associations == 1
        assert states(made) == [("sent", 1, 0)] * 3
        sent = {uid: (syntax, data) for uid, syntax, data in pacs.received}
        for report in made.reports():
            stored = made.bytes_of(report)
            meta = read_file_meta_info(_named(stored, made))
            data_set = stored[132 + 12 + meta.FileMetaInformationGroupLength :]
            assert sent[report.sop_instance_uid] == (report.transfer_syntax_uid, data_set)
        assert lane(made).state is JobState.DONE


def test_R6_out_of_resources_passes_and_each_object_is_judged_by_its_own_status(desk: Callable[..., Desk]) -> None:
    with hostile_pacs(0xA700, 0x0000, 0xA701) as pacs:
        made = desk(pacs.port)
        made.send()
        assert states(made) == [("waiting", 1, 0xA700), ("sent", 1, 0), ("waiting", 1, 0xA701)]
        rows = made.deliveries()
        assert rows[0].next_attempt_at == made.clock.now() + timedelta(seconds=5)
        assert "no room or is too busy" in (rows[0].last_error or "")
        made.clock.move(5)
        next_try(made)
        assert [state for state, _, _ in states(made)] == ["sent"] * 3
        assert not asking(made)


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0x0122])
def test_R6_a_refused_object_is_tried_three_times_and_then_asks_for_a_person(
    status: int, desk: Callable[..., Desk]
) -> None:
    with hostile_pacs(status, 0x0000, 0x0000, status, status) as pacs:
        made = desk(pacs.port)
        made.send()
        assert states(made)[0] == ("waiting", 1, status)
        next_try(made)
        assert not asking(made)
        next_try(made)
        assert states(made) == [("failed", 3, status), ("sent", 1, 0), ("sent", 1, 0)]
        assert asking(made)
        assert made.findings() == []


def test_R6_a_warning_counts_as_sent_and_keeps_its_text(desk: Callable[..., Desk]) -> None:
    with hostile_pacs(0xB000, 0xB007) as pacs:
        made = desk(pacs.port)
        made.send()
        assert states(made) == [("sent", 1, 0xB000), ("sent", 1, 0xB007), ("sent", 1, 0)]
        assert "changed some values" in (made.deliveries()[0].last_error or "")


def test_R6_an_answer_without_a_status_is_not_success(desk: Callable[..., Desk]) -> None:
    with hostile_pacs(NO_STATUS) as pacs:
        made = desk(pacs.port)
        made.send(limits=SHORT)
        assert states(made)[0][:2] == ("waiting", 1)
        assert "without saying whether it stored" in (made.deliveries()[0].last_error or "")
        for _ in range(2):
            next_try(made)
        assert [state for state, _, _ in states(made)] == ["sent"] * 3


def test_R6_R7_a_silent_pacs_is_left_after_the_limit_and_probed_with_another_object(desk: Callable[..., Desk]) -> None:
    with hostile_pacs(HANG) as pacs:
        made = desk(pacs.port)
        made.send(limits=SHORT)
        assert len(pacs.received) == 1
        assert states(made) == [("waiting", 1, None)] * 3
        assert "did not answer within" in (made.deliveries()[0].last_error or "")
        assert lane(made).run_after == made.clock.now() + timedelta(seconds=5)
        made.clock.move(5)
        made.send(limits=SHORT)
        assert [state for state, _, _ in states(made)] == ["waiting", "sent", "sent"]
        next_try(made)
        assert [state for state, _, _ in states(made)] == ["sent"] * 3


def test_R6_what_was_sent_before_the_connection_broke_stays_sent(desk: Callable[..., Desk]) -> None:
    with hostile_pacs(0x0000, ABORT) as pacs:
        made = desk(pacs.port)
        made.send(limits=SHORT)
        assert states(made) == [("sent", 1, 0), ("waiting", 1, None), ("waiting", 1, None)]
        assert "broke off the connection" in (made.deliveries()[1].last_error or "")
        next_try(made)
        assert [state for state, _, _ in states(made)] == ["sent"] * 3
        assert len({uid for uid, _, _ in pacs.received}) == 3


def test_R7_an_object_that_always_breaks_the_association_does_not_starve_the_others(desk: Callable[..., Desk]) -> None:
    poisonous: list[str] = []

    def answer(self: HostilePacs, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        poisonous[:] = poisonous or [uid]
        if uid in poisonous:
            event.assoc.abort()
        return 0x0000

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HostilePacs, "answer", answer)
        with hostile_pacs() as pacs:
            made = desk(pacs.port)
            made.send(limits=SHORT)
            made.clock.move(5)
            made.send(limits=SHORT)
            assert [state for state, _, _ in states(made)] == ["waiting", "sent", "sent"]


@pytest.mark.parametrize(
    ("options", "title", "remedy"),
    [
        ({"calling": ["SOMEBODY"]}, "PACS", "Add the AE title RETINAGATE"),
        ({"title": "OTHER"}, "PACS", "Correct its ae_title in the settings"),
    ],
)
def test_R6_a_refused_association_pauses_the_lane_asks_at_once_and_names_the_remedy(
    options: dict[str, Any], title: str, remedy: str, desk: Callable[..., Desk]
) -> None:
    with hostile_pacs(**options) as pacs:
        made = desk(pacs.port, title=title)
        made.send(limits=SHORT)
        assert {(row.state, row.attempts) for row in made.deliveries()} == {("waiting", 1)}
        assert remedy in (made.deliveries()[0].last_error or "")
        assert lane(made).run_after == made.clock.now() + timedelta(seconds=900)
        assert asking(made)
        assert pacs.received == []


def test_R6_a_class_that_is_not_taken_stops_that_product_alone(desk: Callable[..., Desk]) -> None:
    with hostile_pacs(takes={COMPREHENSIVE_3D_SR: [EXPLICIT]}) as pacs:
        made = desk(pacs.port)
        made.send(limits=SHORT)
        assert [state for state, _, _ in states(made)] == ["waiting", "waiting", "sent"]
        assert "(overlay). Allow it there" in (made.deliveries()[0].last_error or "")
        assert asking(made)


def test_R6_a_pacs_that_takes_nothing_of_ours_is_no_lane_failure(desk: Callable[..., Desk]) -> None:
    with hostile_pacs(takes={SECONDARY_CAPTURE: [EXPLICIT]}) as pacs:
        made = desk(pacs.port)
        made.send(limits=SHORT)
        assert [state for state, _, _ in states(made)] == ["waiting"] * 3
        assert all("does not take " in (row.last_error or "") for row in made.deliveries())
        assert lane(made).state is JobState.DONE


def test_T7_a_pacs_that_knows_implicit_alone_gets_the_report_in_it(desk: Callable[..., Desk]) -> None:
    with hostile_pacs(takes={COMPREHENSIVE_3D_SR: [IMPLICIT]}) as pacs:
        made = desk(pacs.port)
        made.send(limits=SHORT)
        assert [state for state, _, _ in states(made)] == ["waiting", "waiting", "sent"]
        _, syntax, data = pacs.received[0]
        assert syntax == IMPLICIT
        report = made.reports()[-1]
        received = dcmread(io.BytesIO(data), force=True)
        assert received == dcmread(io.BytesIO(made.bytes_of(report)))


def test_R7_a_host_that_does_not_answer_at_all_is_left_in_time(desk: Callable[..., Desk]) -> None:
    import socket

    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        made = desk(deaf.getsockname()[1])
        made.send(limits=SHORT)
        assert {(row.state, row.attempts) for row in made.deliveries()} == {("waiting", 1)}
        assert "it takes the connection but does not answer" in (made.deliveries()[0].last_error or "")


def test_R7_a_name_that_nobody_knows_is_an_unreachable_host(desk: Callable[..., Desk], clock: Any) -> None:
    made = desk(free_port())
    made.destinations = (made.destinations[0].model_copy(update={"host": "no-such-host.invalid"}),)
    made.send(limits=SHORT)
    assert "its host name is not known" in (made.deliveries()[0].last_error or "")


def test_a_pacs_that_stops_reading_does_not_hold_the_lane_for_ever(desk_for: Callable[..., Desk]) -> None:
    with hostile_pacs(deaf=True) as pacs:
        made = desk_for(pacs.port)
        made.case(Shot(R, 3))
        large = made.archive.store(jpeg() + b"\0" * 20_000_000, ".jpg")  # more than the sockets between us hold
        with made.database.transaction() as t:
            overlay_id = t.scalars(select(Heatmap.overlay_file_id)).one()
            t.execute(update(File).where(File.id == overlay_id).values(path=large.path))
        made.work()
        begun = time.monotonic()
        made.send(limits=SHORT)
        assert time.monotonic() - begun < 20
        assert {(row.state, row.attempts) for row in made.deliveries()} == {("waiting", 1)}


def _named(data: bytes, desk: Desk) -> str:
    path = desk.archive.incoming / "one.dcm"
    path.write_bytes(data)
    return str(path)
