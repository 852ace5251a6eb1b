"""The DICOM objects we made, and how far each has come on its way to each destination."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from casebook.models.base import Base, Key, Utc, word
from casebook.models.cases import Revision
from casebook.models.files import File
from casebook.models.photographs import Photograph
from casebook.words import DeliveryState, Product


class Report(Base):
    """One object we made; frozen before it is sent, never changed, never deleted."""

    __tablename__ = "reports"
    __table_args__ = (
        # A plain unique over the three would let two whole-revision reports through: NULLs differ.
        Index("uq_reports_revision", "revision_id", "product", unique=True,
              sqlite_where=text("photograph_id IS NULL"), postgresql_where=text("photograph_id IS NULL")),
        Index("uq_reports_photograph", "revision_id", "product", "photograph_id", "frame", unique=True,
              sqlite_where=text("photograph_id IS NOT NULL"), postgresql_where=text("photograph_id IS NOT NULL")),
        CheckConstraint("(photograph_id IS NULL) = (frame IS NULL)", name="frame_of_a_photograph"),
        Index("ix_reports_revision_id", "revision_id"),  # the unique ones are partial
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id"))
    product: Mapped[Product] = mapped_column(word(Product, "product"))
    photograph_id: Mapped[int | None] = mapped_column(ForeignKey("photographs.id"))  # null: the whole revision
    frame: Mapped[int | None] = mapped_column(Integer)  # from 1; null with photograph_id
    sop_instance_uid: Mapped[str] = mapped_column(String(64), unique=True)
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    series_instance_uid: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64))
    predecessor_id: Mapped[int | None] = mapped_column(ForeignKey("reports.id"), unique=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(Utc)

    revision: Mapped[Revision] = relationship()
    photograph: Mapped[Photograph | None] = relationship()
    file: Mapped[File] = relationship()
    deliveries: Mapped[list["Delivery"]] = relationship(back_populates="report", order_by="Delivery.id")


class Delivery(Base):
    """One report on its way to one destination; ``sent`` only ever comes from a status that was read."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("report_id", "destination"),
        CheckConstraint("state <> 'waiting' OR next_attempt_at IS NOT NULL", name="waiting_has_a_time"),
        CheckConstraint("state NOT IN ('confirmed', 'failed') OR next_attempt_at IS NULL", name="ended_has_no_time"),
        CheckConstraint("state NOT IN ('sent', 'confirmed') OR sent_at IS NOT NULL", name="sent_has_sent_at"),
        Index("ix_deliveries_due", "destination", "next_attempt_at", sqlite_where=text("state = 'waiting'"),
              postgresql_where=text("state = 'waiting'")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"))
    destination: Mapped[str] = mapped_column(Text)
    state: Mapped[DeliveryState] = mapped_column(word(DeliveryState, "state"))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    refusals: Mapped[int] = mapped_column(Integer, default=0)  # permanent answers so far; three end it
    first_attempt_at: Mapped[datetime | None] = mapped_column(Utc)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Utc)
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_error: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None] = mapped_column(Utc)
    confirmed_at: Mapped[datetime | None] = mapped_column(Utc)
    created_at: Mapped[datetime] = mapped_column(Utc)

    report: Mapped[Report] = relationship(back_populates="deliveries")
