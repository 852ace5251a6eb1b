"""What peers sent: one row for every stored instance, its kept-aside copies and our renditions of it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from casebook.models.base import Base, Key, Utc, word
from casebook.models.cases import Case
from casebook.models.files import File
from casebook.words import Gradability, Laterality, Reason


class Photograph(Base):
    """One SOP instance received. What is no photograph of the retina is ``not_applicable``."""

    __tablename__ = "photographs"
    __table_args__ = (
        CheckConstraint("number_of_frames > 0", name="has_frames"),
        CheckConstraint("length(dataset_sha256) = 64", name="sha256_is_hex"),
        Index("ix_photographs_case_id", "case_id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    # Number of the revision it opened or joined; null for what belongs to no revision (our own results, other kinds).
    first_revision: Mapped[int | None] = mapped_column(Integer)
    sop_instance_uid: Mapped[str] = mapped_column(String(64), unique=True)
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    series_instance_uid: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64))
    dataset_sha256: Mapped[str] = mapped_column(String(64))  # of the data set as received, without file meta
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id"), unique=True)
    laterality: Mapped[Laterality | None] = mapped_column(word(Laterality, "laterality"))
    laterality_contradicts: Mapped[bool] = mapped_column(default=False)
    laterality_hint: Mapped[Laterality | None] = mapped_column(word(Laterality, "laterality_hint"))  # from free text
    number_of_frames: Mapped[int] = mapped_column(Integer, default=1)
    rows: Mapped[int | None] = mapped_column(Integer)
    columns: Mapped[int | None] = mapped_column(Integer)
    # The attributes of camera, series and photograph our results repeat, as a DICOM JSON data set in Unicode.
    attributes: Mapped[str] = mapped_column(Text)
    gradability: Mapped[Gradability] = mapped_column(word(Gradability, "gradability"))
    reason: Mapped[Reason | None] = mapped_column(word(Reason, "reason"))
    calling_ae: Mapped[str] = mapped_column(Text)
    caller_host: Mapped[str] = mapped_column(Text)
    station_name: Mapped[str] = mapped_column(Text, default="")
    received_at: Mapped[datetime] = mapped_column(Utc)

    case: Mapped[Case] = relationship()
    file: Mapped[File] = relationship()
    renditions: Mapped[list["Rendition"]] = relationship(back_populates="photograph")


class ConflictingCopy(Base):
    """Other bytes under the UID of a photograph: kept aside, never graded, the first stays."""

    __tablename__ = "conflicting_copies"
    __table_args__ = (UniqueConstraint("photograph_id", "sha256"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    photograph_id: Mapped[int] = mapped_column(ForeignKey("photographs.id"))
    sha256: Mapped[str] = mapped_column(String(64))  # of the data set and its transfer syntax, as in photographs
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id"), unique=True)
    calling_ae: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(Utc)


class RenditionKind(StrEnum):
    """Our own pictures of a frame."""

    FULL = "full"
    PREVIEW = "preview"


class Rendition(Base):
    """A picture of one frame that a browser may see: JPEG or PNG made or cleaned by us."""

    __tablename__ = "renditions"
    __table_args__ = (UniqueConstraint("photograph_id", "frame", "kind"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    photograph_id: Mapped[int] = mapped_column(ForeignKey("photographs.id"))
    frame: Mapped[int] = mapped_column(Integer)  # from 1
    kind: Mapped[RenditionKind] = mapped_column(word(RenditionKind, "kind"))
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id"), unique=True)

    photograph: Mapped[Photograph] = relationship(back_populates="renditions")
    file: Mapped[File] = relationship()
