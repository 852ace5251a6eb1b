"""What a bundle answered for a frame, and the pictures that show where it looked."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from casebook.models.base import Base, Key, Utc, word
from casebook.models.files import File
from casebook.models.photographs import Photograph
from casebook.words import Gradability, Reason


class BundleRow(Base):
    """A bundle that graded something here; the same card is one bundle on all hosts."""

    __tablename__ = "bundles"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)  # of card.json, which names every other file's hash
    card: Mapped[str] = mapped_column(Text)
    first_used_at: Mapped[datetime] = mapped_column(Utc)


class Grading(Base):
    """One bundle's answer for one frame.

    The CHECKs make it impossible to write a grade for a frame that could not be graded.
    """

    __tablename__ = "gradings"
    __table_args__ = (
        Index("uq_gradings_current", "photograph_id", "frame", "bundle_id", unique=True,
              sqlite_where=text("superseded_at IS NULL"), postgresql_where=text("superseded_at IS NULL")),
        CheckConstraint(
            "(gradability IN ('gradable', 'limited')) = "
            "(grade IS NOT NULL AND score IS NOT NULL AND confidence IS NOT NULL)", name="graded_is_whole"),
        CheckConstraint(
            "gradability IN ('gradable', 'limited') OR (grade IS NULL AND score IS NULL AND confidence IS NULL)",
            name="ungraded_is_empty"),
        CheckConstraint("gradability = 'gradable' OR reason IS NOT NULL", name="has_a_reason"),
        CheckConstraint("grade IS NULL OR (grade >= 0 AND grade <= 4)", name="grade_range"),
        CheckConstraint("score IS NULL OR (score >= 0 AND score <= 4)", name="score_range"),
        CheckConstraint("confidence IS NULL OR (confidence >= 0 AND confidence <= 1)", name="confidence_range"),
        CheckConstraint("certainty >= 0 AND certainty <= 1", name="certainty_range"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    photograph_id: Mapped[int] = mapped_column(ForeignKey("photographs.id"))
    frame: Mapped[int] = mapped_column(Integer)  # from 1
    bundle_id: Mapped[int] = mapped_column(ForeignKey("bundles.id"))
    gradability: Mapped[Gradability] = mapped_column(word(Gradability, "gradability"))
    certainty: Mapped[float] = mapped_column(Float)  # of the gate
    reason: Mapped[Reason | None] = mapped_column(word(Reason, "reason"))
    score: Mapped[float | None] = mapped_column(Float)
    grade: Mapped[int | None] = mapped_column(Integer)
    confidence: Mapped[float | None] = mapped_column(Float)
    # The retina's circle in full-size pixels, pixel centres; null where none was found.
    circle_x: Mapped[float | None] = mapped_column(Float)
    circle_y: Mapped[float | None] = mapped_column(Float)
    circle_radius: Mapped[float | None] = mapped_column(Float)
    runner: Mapped[str] = mapped_column(Text)
    graded_at: Mapped[datetime] = mapped_column(Utc)
    superseded_at: Mapped[datetime | None] = mapped_column(Utc)

    photograph: Mapped[Photograph] = relationship()
    bundle: Mapped[BundleRow] = relationship()
    heatmap: Mapped["Heatmap | None"] = relationship(back_populates="grading")


class Heatmap(Base):
    """Where the network looked: the activation grid, the layer for the page, the finished overlay for the PACS."""

    __tablename__ = "heatmaps"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    grading_id: Mapped[int] = mapped_column(ForeignKey("gradings.id"), unique=True)
    layer_file_id: Mapped[int] = mapped_column(ForeignKey("files.id"), unique=True)  # PNG, RGBA, alpha is strength
    overlay_file_id: Mapped[int] = mapped_column(ForeignKey("files.id"), unique=True)  # JPEG baseline, RGB
    activation_file_id: Mapped[int] = mapped_column(ForeignKey("files.id"), unique=True)  # .npy, float32 (h, w)
    overlay_width: Mapped[int] = mapped_column(Integer)
    overlay_height: Mapped[int] = mapped_column(Integer)

    grading: Mapped[Grading] = relationship(back_populates="heatmap")
    layer_file: Mapped[File] = relationship(foreign_keys=[layer_file_id])
    overlay_file: Mapped[File] = relationship(foreign_keys=[overlay_file_id])
    activation_file: Mapped[File] = relationship(foreign_keys=[activation_file_id])
