"""Cases and their numbered revisions: one case is one study of a peer."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from casebook.models.base import Base, Key, Utc, word
from casebook.words import Attention, CaseStatus


class Case(Base):
    """One study. Attributes of the patient and the study stand as the first photograph sent them."""

    __tablename__ = "cases"
    __table_args__ = (
        Index("ix_cases_patient", "patient_issuer", "patient_id", "study_date"),
        Index("ix_cases_accession_number", "accession_number"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(String(64), unique=True)
    patient_id: Mapped[str] = mapped_column(Text, default="")
    patient_issuer: Mapped[str] = mapped_column(Text, default="")
    patient_name: Mapped[str] = mapped_column(Text, default="")  # all component groups, as sent
    study_date: Mapped[str] = mapped_column(Text, default="")
    study_time: Mapped[str] = mapped_column(Text, default="")
    accession_number: Mapped[str] = mapped_column(Text, default="")
    # The patient and study attributes our results repeat, as a DICOM JSON data set (PS3.18 F) in Unicode.
    attributes: Mapped[str] = mapped_column(Text)
    synthetic: Mapped[bool] = mapped_column(Boolean, default=False)
    first_received_at: Mapped[datetime] = mapped_column(Utc)
    last_received_at: Mapped[datetime] = mapped_column(Utc)

    revisions: Mapped[list["Revision"]] = relationship(back_populates="case", order_by="Revision.number")


class Cause(StrEnum):
    """Why a revision was opened."""

    ARRIVAL = "arrival"
    LATE_PHOTOGRAPH = "late_photograph"
    REGRADE = "regrade"


class Revision(Base):
    """A numbered state of a case that can be reported; it holds the photographs with ``first_revision`` up to it."""

    __tablename__ = "revisions"
    __table_args__ = (
        UniqueConstraint("case_id", "number"),
        Index("uq_revisions_current", "case_id", unique=True, sqlite_where=text("superseded_at IS NULL"),
              postgresql_where=text("superseded_at IS NULL")),
        CheckConstraint("(status = 'arriving') = (ready_at IS NULL)", name="arriving_has_no_ready_at"),
        CheckConstraint("number > 0", name="number_is_positive"),
        Index("ix_revisions_worklist", "urgency", "due_at", "id",
              sqlite_where=text("superseded_at IS NULL AND urgency IS NOT NULL"),
              postgresql_where=text("superseded_at IS NULL AND urgency IS NOT NULL")),
        Index("ix_revisions_arriving", "last_object_at", sqlite_where=text("status = 'arriving'"),
              postgresql_where=text("status = 'arriving'")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    number: Mapped[int] = mapped_column(Integer)
    cause: Mapped[Cause] = mapped_column(word(Cause, "cause"))
    status: Mapped[CaseStatus] = mapped_column(word(CaseStatus, "status"))
    referable: Mapped[bool | None] = mapped_column(Boolean)
    urgency: Mapped[int | None] = mapped_column(Integer)  # 0 is most urgent, null needs nobody
    due_at: Mapped[datetime | None] = mapped_column(Utc)
    objects: Mapped[int] = mapped_column(Integer, default=0)  # photographs seen, guards the step to ready
    opened_at: Mapped[datetime] = mapped_column(Utc)
    last_object_at: Mapped[datetime] = mapped_column(Utc)
    ready_at: Mapped[datetime | None] = mapped_column(Utc)
    superseded_at: Mapped[datetime | None] = mapped_column(Utc)

    case: Mapped[Case] = relationship(back_populates="revisions")


class AttentionRow(Base):
    """Why a person must look at a case; raising twice is harmless, history stays."""

    __tablename__ = "attention"
    __table_args__ = (
        Index("uq_attention_open", "case_id", "reason", unique=True, sqlite_where=text("cleared_at IS NULL"),
              postgresql_where=text("cleared_at IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    reason: Mapped[Attention] = mapped_column(word(Attention, "reason"))
    detail: Mapped[str] = mapped_column(Text, default="")
    since: Mapped[datetime] = mapped_column(Utc)
    cleared_at: Mapped[datetime | None] = mapped_column(Utc)
