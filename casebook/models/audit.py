"""What was done, by whom, to what: an append-only chain of hashes."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from casebook.models.base import Base, Key, Utc


class AuditRow(Base):
    """One act. ``previous`` is unique, so two writers cannot fork the chain; triggers refuse changes."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime] = mapped_column(Utc)
    actor: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text, default="")
    action: Mapped[str] = mapped_column(Text)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"))
    outcome: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text, default="")
    previous: Mapped[str] = mapped_column(String(64), unique=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
