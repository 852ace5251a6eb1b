"""The tables of the first release.

Revision: 0001, the first.
"""

import sqlalchemy as sa
from alembic import op

from casebook.models.base import Key
from migrations import audit_triggers

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bundles",
        sa.Column("id", Key, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundles")),
        sa.UniqueConstraint("sha256", name=op.f("uq_bundles_sha256")),
    )
    op.create_table(
        "cases",
        sa.Column("id", Key, nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("patient_issuer", sa.Text(), nullable=False),
        sa.Column("patient_name", sa.Text(), nullable=False),
        sa.Column("study_date", sa.Text(), nullable=False),
        sa.Column("study_time", sa.Text(), nullable=False),
        sa.Column("accession_number", sa.Text(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("first_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("study_instance_uid", name=op.f("uq_cases_study_instance_uid")),
    )
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.create_index("ix_cases_accession_number", ["accession_number"], unique=False)
        batch_op.create_index("ix_cases_patient", ["patient_issuer", "patient_id", "study_date"], unique=False)

    op.create_table(
        "files",
        sa.Column("id", Key, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", Key, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "original",
                "copy",
                "rendition",
                "preview",
                "activation",
                "heatmap",
                "overlay",
                "report",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_files_sha256_is_hex")),
        sa.CheckConstraint("size > 0", name=op.f("ck_files_size_is_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("path", name=op.f("uq_files_path")),
    )
    with op.batch_alter_table("files", schema=None) as batch_op:
        batch_op.create_index("ix_files_sha256", ["sha256"], unique=False)

    op.create_table(
        "heartbeats",
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("progress_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("part", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", Key, nullable=False),
        sa.Column(
            "kind",
            sa.Enum("grade", "report", "deliver", name="kind", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "leased",
                "done",
                "quarantined",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("run_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("crashed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("interruptions", sa.Integer(), nullable=False),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'leased') = (owner IS NOT NULL AND leased_until IS NOT NULL)",
            name=op.f("ck_jobs_leased_has_an_owner"),
        ),
        sa.CheckConstraint(
            "(state IN ('done', 'quarantined')) = (finished_at IS NOT NULL)", name=op.f("ck_jobs_ended_has_finished_at")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(
            "ix_jobs_claim",
            ["kind", "priority", "run_after", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.create_index(
            "ix_jobs_leases",
            ["leased_until"],
            unique=False,
            sqlite_where=sa.text("state = 'leased'"),
            postgresql_where=sa.text("state = 'leased'"),
        )
        batch_op.create_index(
            "uq_jobs_alive",
            ["kind", "subject"],
            unique=True,
            sqlite_where=sa.text("state IN ('waiting', 'leased')"),
            postgresql_where=sa.text("state IN ('waiting', 'leased')"),
        )

    op.create_table(
        "tokens",
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "scope",
            sa.Enum("read", "write", name="scope", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("secret_sha256", name=op.f("pk_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_tokens_name")),
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index("ix_tokens_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", Key, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "viewer", "grader", "senior", "admin", name="role", native_enum=False, create_constraint=True, length=24
            ),
            nullable=False,
        ),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "attention",
        sa.Column("id", Key, nullable=False),
        sa.Column("case_id", Key, nullable=False),
        sa.Column(
            "reason",
            sa.Enum(
                "referable",
                "ungradable",
                "uncertain",
                "missing_eye",
                "unknown_laterality",
                "laterality_contradiction",
                "conflicting_copy",
                "grading_failed",
                "delivery_failed",
                name="reason",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_attention_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attention")),
    )
    with op.batch_alter_table("attention", schema=None) as batch_op:
        batch_op.create_index(
            "uq_attention_open",
            ["case_id", "reason"],
            unique=True,
            sqlite_where=sa.text("cleared_at IS NULL"),
            postgresql_where=sa.text("cleared_at IS NULL"),
        )

    op.create_table(
        "audit",
        sa.Column("seq", Key, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("case_id", Key, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_audit_case_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_hash")),
        sa.UniqueConstraint("previous", name=op.f("uq_audit_previous")),
    )
    op.create_table(
        "photographs",
        sa.Column("id", Key, nullable=False),
        sa.Column("case_id", Key, nullable=False),
        sa.Column("first_revision", sa.Integer(), nullable=True),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(length=64), nullable=False),
        sa.Column("dataset_sha256", sa.String(length=64), nullable=False),
        sa.Column("file_id", Key, nullable=False),
        sa.Column(
            "laterality",
            sa.Enum("R", "L", "B", name="laterality", native_enum=False, create_constraint=True, length=24),
            nullable=True,
        ),
        sa.Column("laterality_contradicts", sa.Boolean(), nullable=False),
        sa.Column(
            "laterality_hint",
            sa.Enum("R", "L", "B", name="laterality_hint", native_enum=False, create_constraint=True, length=24),
            nullable=True,
        ),
        sa.Column("number_of_frames", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("columns", sa.Integer(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column(
            "gradability",
            sa.Enum(
                "pending",
                "gradable",
                "limited",
                "ungradable",
                "not_applicable",
                "unreadable",
                name="gradability",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "reason",
            sa.Enum(
                "not_fundus",
                "too_dark",
                "too_bright",
                "blurred",
                "truncated",
                "monochrome",
                "syntax",
                "damaged",
                "limits",
                "grading_failed",
                "kind",
                "one_channel",
                "own_object",
                name="reason",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("calling_ae", sa.Text(), nullable=False),
        sa.Column("caller_host", sa.Text(), nullable=False),
        sa.Column("station_name", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(dataset_sha256) = 64", name=op.f("ck_photographs_sha256_is_hex")),
        sa.CheckConstraint("number_of_frames > 0", name=op.f("ck_photographs_has_frames")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_photographs_case_id")),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_photographs_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photographs")),
        sa.UniqueConstraint("file_id", name=op.f("uq_photographs_file_id")),
        sa.UniqueConstraint("sop_instance_uid", name=op.f("uq_photographs_sop_instance_uid")),
    )
    with op.batch_alter_table("photographs", schema=None) as batch_op:
        batch_op.create_index("ix_photographs_case_id", ["case_id"], unique=False)

    op.create_table(
        "revisions",
        sa.Column("id", Key, nullable=False),
        sa.Column("case_id", Key, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "cause",
            sa.Enum(
                "arrival",
                "late_photograph",
                "regrade",
                name="cause",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "arriving",
                "ready",
                "graded",
                "reported",
                "reviewed",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("referable", sa.Boolean(), nullable=True),
        sa.Column("urgency", sa.Integer(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_object_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'arriving') = (ready_at IS NULL)", name=op.f("ck_revisions_arriving_has_no_ready_at")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_revisions_number_is_positive")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_revisions_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revisions")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_revisions_case_id_number")),
    )
    with op.batch_alter_table("revisions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_revisions_arriving",
            ["last_object_at"],
            unique=False,
            sqlite_where=sa.text("status = 'arriving'"),
            postgresql_where=sa.text("status = 'arriving'"),
        )
        batch_op.create_index(
            "ix_revisions_worklist",
            ["urgency", "due_at", "id"],
            unique=False,
            sqlite_where=sa.text("superseded_at IS NULL AND urgency IS NOT NULL"),
            postgresql_where=sa.text("superseded_at IS NULL AND urgency IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_revisions_current",
            ["case_id"],
            unique=True,
            sqlite_where=sa.text("superseded_at IS NULL"),
            postgresql_where=sa.text("superseded_at IS NULL"),
        )

    op.create_table(
        "sessions",
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("user_id", Key, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("secret_sha256", name=op.f("pk_sessions")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index("ix_sessions_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "conflicting_copies",
        sa.Column("id", Key, nullable=False),
        sa.Column("photograph_id", Key, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("file_id", Key, nullable=False),
        sa.Column("calling_ae", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_conflicting_copies_file_id")),
        sa.ForeignKeyConstraint(
            ["photograph_id"], ["photographs.id"], name=op.f("fk_conflicting_copies_photograph_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflicting_copies")),
        sa.UniqueConstraint("file_id", name=op.f("uq_conflicting_copies_file_id")),
        sa.UniqueConstraint("photograph_id", "sha256", name=op.f("uq_conflicting_copies_photograph_id_sha256")),
    )
    op.create_table(
        "gradings",
        sa.Column("id", Key, nullable=False),
        sa.Column("photograph_id", Key, nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column("bundle_id", Key, nullable=False),
        sa.Column(
            "gradability",
            sa.Enum(
                "pending",
                "gradable",
                "limited",
                "ungradable",
                "not_applicable",
                "unreadable",
                name="gradability",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("certainty", sa.Float(), nullable=False),
        sa.Column(
            "reason",
            sa.Enum(
                "not_fundus",
                "too_dark",
                "too_bright",
                "blurred",
                "truncated",
                "monochrome",
                "syntax",
                "damaged",
                "limits",
                "grading_failed",
                "kind",
                "one_channel",
                "own_object",
                name="reason",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("grade", sa.Integer(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("circle_x", sa.Float(), nullable=True),
        sa.Column("circle_y", sa.Float(), nullable=True),
        sa.Column("circle_radius", sa.Float(), nullable=True),
        sa.Column("runner", sa.Text(), nullable=False),
        sa.Column("graded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(gradability IN ('gradable', 'limited')) = (grade IS NOT NULL AND score IS NOT NULL AND confidence IS NOT NULL)",
            name=op.f("ck_gradings_graded_is_whole"),
        ),
        sa.CheckConstraint("gradability = 'gradable' OR reason IS NOT NULL", name=op.f("ck_gradings_has_a_reason")),
        sa.CheckConstraint(
            "gradability IN ('gradable', 'limited') OR (grade IS NULL AND score IS NULL AND confidence IS NULL)",
            name=op.f("ck_gradings_ungraded_is_empty"),
        ),
        sa.CheckConstraint("certainty >= 0 AND certainty <= 1", name=op.f("ck_gradings_certainty_range")),
        sa.CheckConstraint(
            "confidence IS NULL OR (confidence >= 0 AND confidence <= 1)", name=op.f("ck_gradings_confidence_range")
        ),
        sa.CheckConstraint("grade IS NULL OR (grade >= 0 AND grade <= 4)", name=op.f("ck_gradings_grade_range")),
        sa.CheckConstraint("score IS NULL OR (score >= 0 AND score <= 4)", name=op.f("ck_gradings_score_range")),
        sa.ForeignKeyConstraint(["bundle_id"], ["bundles.id"], name=op.f("fk_gradings_bundle_id")),
        sa.ForeignKeyConstraint(["photograph_id"], ["photographs.id"], name=op.f("fk_gradings_photograph_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gradings")),
    )
    with op.batch_alter_table("gradings", schema=None) as batch_op:
        batch_op.create_index(
            "uq_gradings_current",
            ["photograph_id", "frame", "bundle_id"],
            unique=True,
            sqlite_where=sa.text("superseded_at IS NULL"),
            postgresql_where=sa.text("superseded_at IS NULL"),
        )

    op.create_table(
        "renditions",
        sa.Column("id", Key, nullable=False),
        sa.Column("photograph_id", Key, nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("full", "preview", name="kind", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("file_id", Key, nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_renditions_file_id")),
        sa.ForeignKeyConstraint(["photograph_id"], ["photographs.id"], name=op.f("fk_renditions_photograph_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_renditions")),
        sa.UniqueConstraint("file_id", name=op.f("uq_renditions_file_id")),
        sa.UniqueConstraint("photograph_id", "frame", "kind", name=op.f("uq_renditions_photograph_id_frame_kind")),
    )
    op.create_table(
        "reports",
        sa.Column("id", Key, nullable=False),
        sa.Column("revision_id", Key, nullable=False),
        sa.Column(
            "product",
            sa.Enum("sr", "overlay", name="product", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("photograph_id", Key, nullable=True),
        sa.Column("frame", sa.Integer(), nullable=True),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(length=64), nullable=False),
        sa.Column("predecessor_id", Key, nullable=True),
        sa.Column("file_id", Key, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(photograph_id IS NULL) = (frame IS NULL)", name=op.f("ck_reports_frame_of_a_photograph")),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_reports_file_id")),
        sa.ForeignKeyConstraint(["photograph_id"], ["photographs.id"], name=op.f("fk_reports_photograph_id")),
        sa.ForeignKeyConstraint(["predecessor_id"], ["reports.id"], name=op.f("fk_reports_predecessor_id")),
        sa.ForeignKeyConstraint(["revision_id"], ["revisions.id"], name=op.f("fk_reports_revision_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sa.UniqueConstraint("file_id", name=op.f("uq_reports_file_id")),
        sa.UniqueConstraint("predecessor_id", name=op.f("uq_reports_predecessor_id")),
        sa.UniqueConstraint("sop_instance_uid", name=op.f("uq_reports_sop_instance_uid")),
    )
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.create_index(
            "uq_reports_photograph",
            ["revision_id", "product", "photograph_id", "frame"],
            unique=True,
            sqlite_where=sa.text("photograph_id IS NOT NULL"),
            postgresql_where=sa.text("photograph_id IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_reports_revision",
            ["revision_id", "product"],
            unique=True,
            sqlite_where=sa.text("photograph_id IS NULL"),
            postgresql_where=sa.text("photograph_id IS NULL"),
        )

    op.create_table(
        "deliveries",
        sa.Column("id", Key, nullable=False),
        sa.Column("report_id", Key, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "sent",
                "confirmed",
                "failed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("first_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state <> 'waiting' OR next_attempt_at IS NOT NULL", name=op.f("ck_deliveries_waiting_has_a_time")
        ),
        sa.CheckConstraint(
            "state NOT IN ('confirmed', 'failed') OR next_attempt_at IS NULL",
            name=op.f("ck_deliveries_ended_has_no_time"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('sent', 'confirmed') OR sent_at IS NOT NULL", name=op.f("ck_deliveries_sent_has_sent_at")
        ),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name=op.f("fk_deliveries_report_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("report_id", "destination", name=op.f("uq_deliveries_report_id_destination")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_deliveries_due",
            ["destination", "next_attempt_at"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )

    op.create_table(
        "heatmaps",
        sa.Column("id", Key, nullable=False),
        sa.Column("grading_id", Key, nullable=False),
        sa.Column("layer_file_id", Key, nullable=False),
        sa.Column("overlay_file_id", Key, nullable=False),
        sa.Column("activation_file_id", Key, nullable=False),
        sa.Column("overlay_width", sa.Integer(), nullable=False),
        sa.Column("overlay_height", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["activation_file_id"], ["files.id"], name=op.f("fk_heatmaps_activation_file_id")),
        sa.ForeignKeyConstraint(["grading_id"], ["gradings.id"], name=op.f("fk_heatmaps_grading_id")),
        sa.ForeignKeyConstraint(["layer_file_id"], ["files.id"], name=op.f("fk_heatmaps_layer_file_id")),
        sa.ForeignKeyConstraint(["overlay_file_id"], ["files.id"], name=op.f("fk_heatmaps_overlay_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heatmaps")),
        sa.UniqueConstraint("activation_file_id", name=op.f("uq_heatmaps_activation_file_id")),
        sa.UniqueConstraint("grading_id", name=op.f("uq_heatmaps_grading_id")),
        sa.UniqueConstraint("layer_file_id", name=op.f("uq_heatmaps_layer_file_id")),
        sa.UniqueConstraint("overlay_file_id", name=op.f("uq_heatmaps_overlay_file_id")),
    )
    audit_triggers.create(op.get_bind())
