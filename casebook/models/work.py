"""Jobs are rows: the queue is this table, a broker message only wakes somebody up."""

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from casebook.models.base import Base, Key, Utc, word
from casebook.words import JobKind, JobState

_ALIVE = text("state IN ('waiting', 'leased')")
_WAITING = text("state = 'waiting'")
_LEASED = text("state = 'leased'")


class Job(Base):
    """A piece of work; at most one alive for each kind and subject."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("uq_jobs_alive", "kind", "subject", unique=True, sqlite_where=_ALIVE, postgresql_where=_ALIVE),
        Index("ix_jobs_claim", "kind", "priority", "run_after", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("ix_jobs_leases", "leased_until", sqlite_where=_LEASED, postgresql_where=_LEASED),
        CheckConstraint(
            "(state = 'leased') = (owner IS NOT NULL AND leased_until IS NOT NULL)", name="leased_has_an_owner"),
        CheckConstraint("(state IN ('done', 'quarantined')) = (finished_at IS NOT NULL)", name="ended_has_finished_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    kind: Mapped[JobKind] = mapped_column(word(JobKind, "kind"))
    subject: Mapped[str] = mapped_column(Text)
    state: Mapped[JobState] = mapped_column(word(JobState, "state"))
    priority: Mapped[int] = mapped_column(Integer, default=5)  # 0 is first
    run_after: Mapped[datetime] = mapped_column(Utc)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    crashes: Mapped[int] = mapped_column(Integer, default=0)  # the child died or was killed at its deadline
    crashed_at: Mapped[datetime | None] = mapped_column(Utc)
    interruptions: Mapped[int] = mapped_column(Integer, default=0)  # a claim ended without a word
    alone: Mapped[bool] = mapped_column(Boolean, default=False)  # claimed last and by itself
    fence: Mapped[int] = mapped_column(Integer, default=0)  # grows with every claim; an old one changes nothing
    owner: Mapped[str | None] = mapped_column(Text)
    leased_until: Mapped[datetime | None] = mapped_column(Utc)
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Utc)
    finished_at: Mapped[datetime | None] = mapped_column(Utc)


class Heartbeat(Base):
    """A part's sign of life: ``beat_at`` says it turns, ``progress_at`` that it gets something done."""

    __tablename__ = "heartbeats"

    part: Mapped[str] = mapped_column(Text, primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(Integer)
    ready: Mapped[bool] = mapped_column(Boolean)
    detail: Mapped[str] = mapped_column(Text, default="")
    beat_at: Mapped[datetime] = mapped_column(Utc)
    progress_at: Mapped[datetime] = mapped_column(Utc)


class Installation(Base):
    """This installation's identity, made at first start: every UID we derive contains it."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    identity: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Utc)
