"""All tables; imported whole, so that the metadata is complete wherever one of them is used."""

from casebook.models.audit import AuditRow
from casebook.models.base import Base, Key, Utc
from casebook.models.cases import AttentionRow, Case, Cause, Revision
from casebook.models.files import File, FileKind
from casebook.models.gradings import BundleRow, Grading, Heatmap
from casebook.models.people import FailedLogin, Role, Scope, Session, Token, User
from casebook.models.photographs import ConflictingCopy, Photograph, Rendition, RenditionKind
from casebook.models.reports import Delivery, Report
from casebook.models.work import Heartbeat, Installation, Job

__all__ = [
    "AttentionRow", "AuditRow", "Base", "BundleRow", "Case", "Cause", "ConflictingCopy", "Delivery", "FailedLogin",
    "File", "FileKind", "Grading", "Heartbeat", "Heatmap", "Installation", "Job", "Key", "Photograph", "Rendition",
    "RenditionKind", "Report", "Revision", "Role", "Scope", "Session", "Token", "User", "Utc",
]  # fmt: skip
