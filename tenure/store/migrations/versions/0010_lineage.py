"""Lineage is walked both ways: indexes for the way that had none."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

INDEXES = (
    ("ix_run_inputs_by_dataset", "run_inputs", ["dataset_id"]),
    ("ix_datasets_by_name", "datasets", ["name", "digest"]),
    ("ix_model_versions_by_run", "model_versions", ["run_id"]),
    ("ix_releases_by_version", "releases", ["model", "version"]),
    ("ix_retraining_by_model", "retraining_runs", ["model", "champion_version"]),
)


def upgrade() -> None:
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)
    is_copy = sa.text("source LIKE 'models:/%/%'")
    op.create_index(
        "ix_model_versions_by_source", "model_versions", ["source"], postgresql_where=is_copy, sqlite_where=is_copy
    )
