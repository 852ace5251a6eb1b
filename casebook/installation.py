"""This installation's identity: made at first start, part of every backup, inside every UID we derive."""

import uuid
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casebook.models import File, Installation


def identity(t: Session, now: datetime) -> str:
    """Return the installation's identity, made when there is none yet."""
    row = t.get(Installation, 1)
    if row is None:
        try:
            with t.begin_nested():
                row = Installation(id=1, identity=uuid.uuid4().hex, created_at=now)
                t.add(row)
        except IntegrityError:
            row = t.get_one(Installation, 1)  # another process made it in this instant
    return row.identity


def holds_files(t: Session) -> bool:
    """Say whether any row names a file."""
    return bool(t.scalar(select(func.count()).select_from(File)))
