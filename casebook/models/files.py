"""One list of everything on disk: checking, backup, retention and disk use are one query."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from casebook.models.base import Base, Key, Utc, word


class FileKind(StrEnum):
    """What a file is."""

    ORIGINAL = "original"
    COPY = "copy"
    RENDITION = "rendition"
    PREVIEW = "preview"
    ACTIVATION = "activation"
    HEATMAP = "heatmap"
    OVERLAY = "overlay"
    REPORT = "report"


class File(Base):
    """A file under the archive's ``objects`` folder; its bytes never change."""

    __tablename__ = "files"
    __table_args__ = (
        CheckConstraint("length(sha256) = 64", name="sha256_is_hex"),
        CheckConstraint("size > 0", name="size_is_positive"),
        Index("ix_files_sha256", "sha256"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    path: Mapped[str] = mapped_column(Text, unique=True)  # relative to the archive, ours, never a peer's text
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(Key)
    kind: Mapped[FileKind] = mapped_column(word(FileKind, "kind"))
    created_at: Mapped[datetime] = mapped_column(Utc)
    purged_at: Mapped[datetime | None] = mapped_column(Utc)
