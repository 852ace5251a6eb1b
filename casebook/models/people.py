"""Users, their sessions, and tokens of programs; of every secret only a hash is stored."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Boolean, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from casebook.models.base import Base, Key, Utc, word


class Role(StrEnum):
    """What a user may do; each includes the ones before."""

    VIEWER = "viewer"
    GRADER = "grader"
    SENIOR = "senior"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a token may do."""

    READ = "read"
    WRITE = "write"


class User(Base):
    """A person; the name is stored case-folded, for engines fold differently."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    display_name: Mapped[str] = mapped_column(Text)
    role: Mapped[Role] = mapped_column(word(Role, "role"))
    password_hash: Mapped[str] = mapped_column(Text)
    must_change: Mapped[bool] = mapped_column(Boolean, default=False)
    password_expires_at: Mapped[datetime | None] = mapped_column(Utc)  # of a one-time password
    created_at: Mapped[datetime] = mapped_column(Utc)
    disabled_at: Mapped[datetime | None] = mapped_column(Utc)


class Session(Base):
    """A browser's session."""

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_expires_at", "expires_at"),)

    secret_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(Utc)
    seen_at: Mapped[datetime] = mapped_column(Utc)
    expires_at: Mapped[datetime] = mapped_column(Utc)

    user: Mapped[User] = relationship()


class FailedLogin(Base):
    """A wrong password, kept while it counts; of the name only a hash, for people type passwords there, too."""

    __tablename__ = "failed_logins"
    __table_args__ = (Index("ix_failed_logins_address", "address"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    account_sha256: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Utc)


class Token(Base):
    """A program's key to the API."""

    __tablename__ = "tokens"
    __table_args__ = (Index("ix_tokens_expires_at", "expires_at"),)

    secret_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    scope: Mapped[Scope] = mapped_column(word(Scope, "scope"))
    created_at: Mapped[datetime] = mapped_column(Utc)
    expires_at: Mapped[datetime] = mapped_column(Utc)
    used_at: Mapped[datetime | None] = mapped_column(Utc)
