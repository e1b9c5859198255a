"""Every table, declared once. Instants are integer microseconds UTC, except MLflow's own times (milliseconds)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Double = sa.Double
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # in the order of its bytes on both databases
SeriesId = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what it calls INTEGER


def _text(name: str, *, null: bool = False, key: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null, primary_key=key)


def _number(name: str, *, null: bool = False, key: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null, primary_key=key, autoincrement=False)


# --- tracking: MLflow's nouns -----------------------------------------------------------------------------------

experiments = Table(
    "experiments",
    metadata,
    Column("experiment_id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    _text("artifact_location"),
    _text("lifecycle_stage"),
    _number("creation_time"),
    _number("last_update_time"),
)
experiment_tags = Table(
    "experiment_tags",
    metadata,
    Column("experiment_id", Integer, ForeignKey("experiments.experiment_id"), primary_key=True),
    _text("key", key=True),
    _text("value"),
)
runs = Table(
    "runs",
    metadata,
    _text("run_id", key=True),
    Column("experiment_id", Integer, ForeignKey("experiments.experiment_id"), nullable=False),
    _text("name"),
    _text("user_id"),
    _text("status"),
    _number("start_time"),
    _number("end_time", null=True),
    _text("artifact_uri"),
    _text("lifecycle_stage"),
    _number("deleted_time", null=True),
    Index("ix_runs_by_start", "experiment_id", "lifecycle_stage", "start_time", "run_id"),
)
params = Table(
    "params",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id"), primary_key=True),
    _text("key", key=True),
    _text("value"),
    Index("ix_params_by_value", "key", "value", "run_id"),
)
tags = Table(
    "tags",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id"), primary_key=True),
    _text("key", key=True),
    _text("value"),
    Index("ix_tags_by_value", "key", "value", "run_id"),
)
latest_metrics = Table(
    "latest_metrics",
    metadata,
    # A key of a run is a series; its points carry this number, which is a quarter as long as the two texts.
    Column("series_id", SeriesId, primary_key=True, autoincrement=True),
    Column("run_id", Text, ForeignKey("runs.run_id"), nullable=False),
    _text("key"),
    Column("value", Double, nullable=True),  # NULL is NaN
    _number("timestamp"),
    _number("step"),
    sa.UniqueConstraint("run_id", "key"),
    Index("ix_latest_metrics_by_value", "key", "value", "run_id"),
)
metrics = Table(
    "metrics",
    metadata,
    # No foreign key: it would be looked up for every point. `store.metrics` writes both tables in one transaction.
    _number("series_id", key=True),
    _number("step", key=True),
    _number("timestamp", key=True),
    # A point is known by the bits of its value, as a signed integer, since NaN is not equal to itself.
    _number("identity", key=True),
    Column("value", Double, nullable=True),  # NULL is NaN
    _text("model_id", null=True),
    _text("dataset_name", null=True),
    _text("dataset_digest", null=True),
    sqlite_with_rowid=False,
)
datasets = Table(
    "datasets",
    metadata,
    Column("dataset_id", Integer, primary_key=True, autoincrement=True),
    Column("experiment_id", Integer, ForeignKey("experiments.experiment_id"), nullable=False),
    _text("name"),
    _text("digest"),
    _text("source_type"),
    _text("source"),
    _text("schema", null=True),
    _text("profile", null=True),
    sa.UniqueConstraint("experiment_id", "name", "digest"),
    Index("ix_datasets_by_name", "name", "digest"),
)
run_inputs = Table(
    "run_inputs",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id"), primary_key=True),
    Column("dataset_id", Integer, ForeignKey("datasets.dataset_id"), primary_key=True),
    _text("tags"),  # JSON: list of {key, value}
    _text("context", null=True),  # what the tag mlflow.data.context says: training, evaluation, …
    Index("ix_run_inputs_by_dataset", "dataset_id"),
)
run_models = Table(
    "run_models",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id"), primary_key=True),
    _text("model_id", key=True),
    _text("direction", key=True),  # input | output
    _number("step"),
    Index("ix_run_models_by_model", "model_id"),
)
logged_models = Table(
    "logged_models",
    metadata,
    _text("model_id", key=True),
    Column("experiment_id", Integer, ForeignKey("experiments.experiment_id"), nullable=False),
    _text("name"),
    _text("artifact_location"),
    _number("creation_time"),
    _number("last_update_time"),
    _text("status"),
    _text("status_message", null=True),
    _text("model_type", null=True),
    _text("source_run_id", null=True),
    _text("lifecycle_stage"),
    Index("ix_logged_models_by_experiment", "experiment_id", "creation_time"),
    Index("ix_logged_models_by_run", "source_run_id"),
)
logged_model_params = Table(
    "logged_model_params",
    metadata,
    Column("model_id", Text, ForeignKey("logged_models.model_id"), primary_key=True),
    _text("key", key=True),
    _text("value"),
)
logged_model_tags = Table(
    "logged_model_tags",
    metadata,
    Column("model_id", Text, ForeignKey("logged_models.model_id"), primary_key=True),
    _text("key", key=True),
    _text("value"),
)
logged_model_metrics = Table(
    "logged_model_metrics",
    metadata,
    Column("model_id", Text, ForeignKey("logged_models.model_id"), primary_key=True),
    _text("key", key=True),
    _number("timestamp", key=True),
    _number("step", key=True),
    _text("run_id", key=True),
    Column("value", Double, nullable=True),
    _text("dataset_name", null=True),
    _text("dataset_digest", null=True),
)

# --- registry ---------------------------------------------------------------------------------------------------

registered_models = Table(
    "registered_models",
    metadata,
    _text("name", key=True),
    _text("description", null=True),
    _number("creation_time"),
    _number("last_updated_time"),
)
registered_model_tags = Table(
    "registered_model_tags",
    metadata,
    Column("name", Text, ForeignKey("registered_models.name", onupdate="CASCADE"), primary_key=True),
    _text("key", key=True),
    _text("value"),
)
aliases = Table(
    "aliases",
    metadata,
    Column("name", Text, ForeignKey("registered_models.name", onupdate="CASCADE"), primary_key=True),
    _text("alias", key=True),
    Column("version", Integer, nullable=False),
)
IS_COPY = "source LIKE 'models:/%/%'"
model_versions = Table(
    "model_versions",
    metadata,
    Column("name", Text, ForeignKey("registered_models.name", onupdate="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _text("description", null=True),
    _text("user_id"),
    _text("current_stage"),
    _text("source", null=True),
    _text("storage_location", null=True),
    _text("run_id", null=True),
    _text("run_link", null=True),
    _text("model_id", null=True),
    _text("status"),
    _text("status_message", null=True),
    _number("creation_time"),
    _number("last_updated_time"),
    _text("state"),  # registered | in_review | approved | suspended | retired | rejected
    _text("digest", null=True),  # of the pinned manifest below: "sha256:…"
    _text("signature", null=True),  # MLflow's input and output schema, as JSON
    Index("ix_model_versions_by_location", "storage_location"),
    Index("ix_model_versions_by_logged_model", "model_id"),
    Index("ix_model_versions_by_run", "run_id"),
    # Of copies alone: another source may be longer than an index of Postgres takes.
    Index("ix_model_versions_by_source", "source", postgresql_where=sa.text(IS_COPY), sqlite_where=sa.text(IS_COPY)),
)
model_version_tags = Table(
    "model_version_tags",
    metadata,
    _text("name", key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _text("key", key=True),
    _text("value"),
    sa.ForeignKeyConstraint(["name", "version"], ["model_versions.name", "model_versions.version"], onupdate="CASCADE"),
)
version_files = Table(
    "version_files",
    metadata,
    _text("name", key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _text("path", key=True),
    _number("size_bytes"),
    _text("sha256"),
    sa.ForeignKeyConstraint(["name", "version"], ["model_versions.name", "model_versions.version"], onupdate="CASCADE"),
)

# --- manage -----------------------------------------------------------------------------------------------------

people = Table(
    "people",
    metadata,
    _text("person_id", key=True),  # the name to sign in with
    _text("printed_name"),
    _text("password_hash"),
    _text("roles"),  # no longer read: roles are grants
    _number("session_epoch"),
    _number("created_at"),
)
model_files = Table(
    "model_files",
    metadata,
    _text("model", key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    _text("body"),  # JSON of records.model_files.ModelFile
    _text("digest"),
    _text("applied_by"),
    _number("applied_at"),
)
cards = Table(
    "cards",
    metadata,
    _text("model", key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    _text("body"),  # JSON of records.cards.Card
    _text("digest"),
    _text("edited_by"),
    _number("edited_at"),
)
profiles = Table(
    "profiles",
    metadata,
    _text("model", key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),  # msgpack of records.profiles.Profile
    _text("digest"),
    _text("recorded_by"),
    _number("recorded_at"),
)
changes = Table(
    "changes",
    metadata,
    _text("change_id", key=True),
    _text("kind"),  # register | approve | deploy | promote | suspend | retire | revise
    _text("model"),
    Column("version", Integer, nullable=False),  # 0 for revise, which is about the model's file
    _text("state"),  # open | approved | rejected | invalidated | withdrawn
    _text("reason"),
    _text("body"),  # JSON: steps, subject digests, facts digest, policy version, why it ended
    _text("opened_by"),
    _number("opened_at"),
    _number("closed_at", null=True),
    Index("ix_changes_by_version", "model", "version"),
)
signatures = Table(
    "signatures",
    metadata,
    _text("signature_id", key=True),
    Column("change_id", Text, ForeignKey("changes.change_id"), nullable=False),
    _text("person_id"),
    _text("printed_name"),
    _text("role"),
    _text("meaning"),  # approval | rejection
    _text("reason"),
    _number("signed_at"),
    Column("envelope", LargeBinary, nullable=False),  # DSSE, JSON
    Column("voided", sa.Boolean, nullable=False, server_default=sa.false()),
    Index("ix_signatures_by_change", "change_id"),
)
gate_evaluations = Table(
    "gate_evaluations",
    metadata,
    _text("evaluation_id", key=True),
    _text("gate"),  # register | approve | deploy | promote
    _text("model"),
    Column("version", Integer, nullable=False),
    _text("policy_version"),
    _text("facts_digest"),
    _text("body"),  # JSON: rules with expression and result, engine version
    Column("passed", sa.Boolean, nullable=False),
    _number("evaluated_at"),
    Index("ix_gate_evaluations_by_version", "model", "version"),
)
audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    _number("at"),
    _text("actor"),
    _text("action"),
    _text("subject"),
    Column("body", LargeBinary, nullable=False),  # the exact bytes that are hashed
    _text("previous_hash"),
    _text("hash"),
    _text("reason", null=True),  # the beginning of the detail's, repeated here to be found
    Index("ix_audit_by_subject", "subject", "sequence"),
    Index("ix_audit_by_actor", "actor", "sequence"),
    Index("ix_audit_by_action", "action", "sequence"),
    Index("ix_audit_by_actor_and_action", "actor", "action", "sequence"),
    Index("ix_audit_by_time", "at"),
)
Index(
    "ix_audit_with_reason",
    audit.c.sequence,
    audit.c.reason,  # in the index itself: the search reads no row that does not fit
    sqlite_where=audit.c.reason.is_not(None),
    postgresql_where=audit.c.reason.is_not(None),
)
settings_kept = Table(
    "settings_kept",
    metadata,
    _text("key", key=True),  # routing_epoch, public_key, instance_id, …
    _text("value"),
)

file_scans = Table(
    "file_scans",
    metadata,
    _text("sha256", key=True),
    _text("suffix", key=True),  # of the file's name, such as .pkl: a scanner reads by it
    _text("scanner", key=True),  # name and version
    _text("body"),  # JSON of records.contents.Scan
    _number("scanned_at"),
)

forms = Table(
    "forms",
    metadata,
    _text("model", key=True),
    _number("version", key=True),
    _text("digest"),  # of the version's files
    _text("state"),  # waiting | running | done | failed
    Column("attempts", Integer, nullable=False),
    _text("worker", null=True),
    _number("lease_until", null=True),
    _text("asked_by"),
    _number("asked_at"),
    _number("changed_at"),
    _text("problem"),  # why the last attempt left no report
    _text("report", null=True),  # JSON of records.forms.FormReport
    _text("released", null=True),  # JSON of records.routing.ReleaseForm, when a form was proven
    Index("ix_forms_by_state", "state", "asked_at"),
)

# --- manage: the life cycle ---

comments = Table(
    "comments",
    metadata,
    _text("comment_id", key=True),
    Column("change_id", Text, ForeignKey("changes.change_id"), nullable=False),
    _text("person_id"),
    _text("text"),
    _number("at"),
    Index("ix_comments_by_change", "change_id", "at"),
)

# --- audit: signed checkpoints of the chain above ---

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    _number("size", key=True),  # events that the log had
    _text("head"),  # hash of the last of them
    _number("at"),
    _text("key_id"),
    _text("envelope"),  # DSSE, JSON: what is handed out
)

# --- access: who is who, and who may what ---

services = Table(
    "services",
    metadata,
    _text("service_id", key=True),  # its name; no person has it too
    _text("purpose"),
    _text("created_by"),
    _number("created_at"),
)
grants = Table(
    "grants",
    metadata,
    _text("grant_id", key=True),
    _text("principal"),  # of a person or a service
    _text("role"),
    _text("model"),  # empty: all
    _number("since_at"),
    _text("granted_by"),
    _number("until_at", null=True),
    _text("revoked_by", null=True),
    Index("ix_grants_by_principal", "principal", "until_at"),
)
tokens = Table(
    "tokens",
    metadata,
    _text("token_id", key=True),
    _text("digest"),  # SHA-256 of the token, in hex; the token itself is kept nowhere
    _text("principal"),
    _text("label"),
    _text("permissions"),  # JSON: list
    _text("models"),  # JSON: list; empty: all
    _text("created_by"),
    _number("created_at"),
    _number("expires_at"),
    _number("revoked_at", null=True),
    _number("last_used_at", null=True),
    Index("ix_tokens_by_digest", "digest", unique=True),
    Index("ix_tokens_by_principal", "principal"),
)
sso_identities = Table(
    "sso_identities",
    metadata,
    _text("issuer", key=True),
    _text("subject", key=True),  # who it is there, for good
    _text("person_id"),
)
password_failures = Table(
    "password_failures",
    metadata,
    _text("failure_id", key=True),
    _text("person_id"),
    _number("at"),
    Index("ix_password_failures_by_person", "person_id", "at"),
)

# --- manage: policies ---

policies = Table(
    "policies",
    metadata,
    _text("name", key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _text("body"),  # JSON of records.policies.Policy
    _text("digest"),
    _text("published_by"),
    _number("published_at"),
)
policy_withdrawals = Table(
    "policy_withdrawals",
    metadata,
    _text("name", key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _text("from_date"),  # ISO date: from this day on the version does not count
    _text("reason"),
    _text("withdrawn_by"),
    _number("withdrawn_at"),
)
policy_drafts = Table(
    "policy_drafts",
    metadata,
    _text("name", key=True),
    _text("body"),
    _text("saved_by"),
    _number("saved_at"),
)
policy_exceptions = Table(
    "policy_exceptions",
    metadata,
    _text("exception_id", key=True),
    _text("model"),
    _text("subject"),  # <policy>/<rule>, semantic:<type> or source:<name>
    _text("state"),  # requested | approved | refused | revoked
    _text("body"),  # JSON of records.policies.PolicyException
    _number("requested_at"),
    Index("ix_policy_exceptions_by_model", "model", "state"),
)
vault = Table(
    "vault",
    metadata,
    _text("attribute", key=True),
    Column("body", LargeBinary, nullable=False),  # keys and values, sealed with a key derived from the data folder's
    _number("row_count"),
    _text("digest"),  # keyed: of the values, for whoever has the key
    _text("put_by"),
    _number("put_at"),
)
proxy_tests = Table(
    "proxy_tests",
    metadata,
    _text("test_id", key=True),
    _text("model"),
    Column("version", Integer, nullable=False),
    _text("attribute"),
    _text("body"),  # JSON of records.policies.ProxyTest
    _number("made_at"),
    Index("ix_proxy_tests_by_version", "model", "version", "attribute"),
)

# --- deploy -----------------------------------------------------------------------------------------------------

endpoints = Table(
    "endpoints",
    metadata,
    _text("name", key=True),
    _text("model"),
    _number("created_at"),
    _text("created_by"),
    _text("fallback", null=True),  # JSON of records/kills.py: what is answered instead of a killed version
    _text("journal", null=True),  # JSON of records/journaling.py: how its answers are journaled
)
endpoint_exports = Table(
    "endpoint_exports",
    metadata,
    _text("endpoint", key=True),
    _text("url"),
    _text("what"),  # JSON: request, response or both
    Column("share", Double, nullable=False),  # of the requests, 0-1
    Column("secret", LargeBinary, nullable=True),  # encrypted with a key of the data folder; never shown again
    _number("set_at"),  # counts of an export that was set anew meanwhile are not this one's
    _number("waiting"),  # in the worker's memory
    _number("sent"),
    _number("failed"),
    _number("dropped"),
    _text("problem", null=True),
    _number("tried_at", null=True),
)
kills = Table(
    "kills",
    metadata,
    _text("kill_id", key=True),
    Column("endpoint", Text, ForeignKey("endpoints.name"), nullable=False),
    Column("version", Integer),  # none: the whole endpoint
    _text("reason"),
    _text("killed_by"),
    _number("killed_at"),
    _text("lifted_by", null=True),
    _number("lifted_at", null=True),
    _text("lift_reason", null=True),
    Index("ix_kills_by_endpoint", "endpoint", "lifted_at"),
)
releases = Table(
    "releases",
    metadata,
    _text("release_id", key=True),
    Column("endpoint", Text, ForeignKey("endpoints.name"), nullable=False),
    _text("model"),
    Column("version", Integer, nullable=False),
    _text("role"),  # champion | challenger | shadow
    Column("share", Double, nullable=False),
    _text("reason"),
    _text("released_by"),
    _number("from_at"),
    _number("until_at", null=True),
    Index("ix_releases_by_endpoint", "endpoint", "until_at"),
    Index("ix_releases_by_version", "model", "version"),
)
environments = Table(
    "environments",
    metadata,
    _text("files_digest", key=True),  # of a version's pinned manifest
    _text("body"),  # JSON of records.environments.Environment
    _number("settled_at"),
)

# --- monitor ----------------------------------------------------------------------------------------------------

lake_files = Table(
    "lake_files",
    metadata,
    _text("path", key=True),  # relative to the lake's root
    _text("kind"),  # predictions | shadows | outcomes | refusals | overrides
    _text("endpoint"),
    _number("row_count"),
    _number("first_event_at"),
    _number("last_event_at"),
    _text("first_id"),  # least and greatest prediction id: ids begin with the time they were made at
    _text("last_id"),
    _number("added_at"),
    _number("replaced_at", null=True),  # merged into another file; deleted after a while
    _text("sha256", null=True),  # of the file's bytes; NULL in files of older releases until they are told of
    _number("told_at", null=True),  # when an audit event told of it
    Index("ix_lake_files_by_endpoint", "endpoint", "kind", "first_event_at"),
)
batches = Table(
    "batches",
    metadata,
    _text("batch_id", key=True),
    _text("endpoint"),
    _text("model"),
    _number("version"),
    _text("release_id"),
    _text("state"),  # open | done | abandoned
    _text("source"),  # what the caller calls the input
    _number("rows"),
    _number("rejected"),
    _text("opened_by"),
    _number("opened_at"),
    _number("changed_at"),
    _text("input_sha256", null=True),
    _text("output_sha256", null=True),
    _text("admitted", null=True),  # JSON of records.admission.Admitted
    Index("ix_batches_by_endpoint", "endpoint", "opened_at"),
    Index("ix_batches_by_state", "state", "changed_at"),
)
batch_parts = Table(
    "batch_parts",
    metadata,
    Column("batch_id", Text, ForeignKey("batches.batch_id"), primary_key=True),
    _number("first_row", key=True),
    _number("until_row"),
    _number("rows"),
    _text("sha256"),
    _number("size_bytes"),
    _number("received_at"),
)
journal_cursors = Table(
    "journal_cursors",
    metadata,
    _text("segment", key=True),
    _number("offset_bytes"),
)
watermarks = Table(
    "watermarks",
    metadata,
    _text("endpoint", key=True),
    _number("received_until"),  # greatest event time of a prediction in the lake
    _number("monitored_until"),  # windows that end at or before this instant have been judged
    _number("outcomes_until"),  # greatest event time of an outcome
    _number("origin_at"),  # where the grid of windows begins: midnight before the first prediction
    Column("window_days", Integer, nullable=False),  # width of that grid; 0 = not yet known, or hours
    Column("window_hours", Integer, nullable=False, server_default="0"),  # width of a grid of hours; 0 = of days
    Column("thinned_until", BigInteger, nullable=False, server_default="0"),  # windows of hours before keep no profile
)
dirty_days = Table(
    "dirty_days",
    metadata,
    _text("endpoint", key=True),
    _number("day_at", key=True),  # an hour: windows that hold it must be judged again; a midnight may mean its day
    _number("marked_at"),
)
windows = Table(
    "windows",
    metadata,
    _text("endpoint", key=True),
    _number("start_at", key=True),
    _number("end_at", key=True),
    _number("release_version", key=True),  # the model version it is about
    _text("role", key=True),  # champion | challenger | shadow
    Column("body", LargeBinary, nullable=False),  # msgpack of records.windows.Window
    _number("judged_at"),
)
detectors = Table(
    "detectors",
    metadata,
    _text("endpoint", key=True),
    _number("release_version", key=True),
    _text("detector", key=True),  # the loss that it watches: brier | error | absolute_error | value
    _number("consumed_until"),  # windows that end at or before this instant were taken or passed over
    _text("body"),  # JSON of records.harm.Detector
    _number("changed_at"),
)
service_samples = Table(
    "service_samples",
    metadata,
    _text("endpoint", key=True),  # "": a gateway's own process
    _number("at", key=True),
    Column("minutes", Integer, primary_key=True, autoincrement=False),  # 1 or 60
    _text("gateway", key=True),  # name and run; "" once an hour of all gateways is one row
    Column("version", Integer, primary_key=True, autoincrement=False),  # 0: no version answered
    _text("role", key=True),
    _number("objective_us", key=True),  # what `slow` was counted by; 0: nothing was promised
    *(_number(name) for name in ("answered", "failed", "overloaded", "refused", "slow", "rows")),
    *(_number(name) for name in ("sent_bytes", "said_bytes", "latency_us", "cpu_us", "cpu_requests")),
    _number("resident_bytes"),  # the most
    _text("answers"),  # gateway | scorer: who computed
    _text("latency"),  # JSON: answered requests by bucket
    Index("ix_service_samples_by_time", "minutes", "at"),
)
drift_reports = Table(
    "drift_reports",
    metadata,
    _text("endpoint", key=True),
    _number("start_at", key=True),
    _number("end_at", key=True),
    _number("release_version", key=True),
    _text("role", key=True),
    Column("body", LargeBinary, nullable=False),  # msgpack of records.drift.DriftReport
)
pending_outcomes = Table(
    "pending_outcomes",
    metadata,
    _text("endpoint", key=True),
    _text("key", key=True),  # prediction id with row, or "ref:" and the caller's reference
    Column("value", Double, nullable=False),
    _number("event_at"),
    _number("received_at"),
)
conflicting_outcomes = Table(
    "conflicting_outcomes",
    metadata,
    _text("endpoint", key=True),
    _text("key", key=True),
    _number("received_at", key=True),
    Column("kept", Double, nullable=False),
    Column("refused", Double, nullable=False),
    _number("event_at"),
)
pending_overrides = Table(
    "pending_overrides",
    metadata,
    _text("endpoint", key=True),
    _text("key", key=True),  # as of outcomes
    _text("decided_by", key=True),
    _number("event_at", key=True),
    Column("value", Double, nullable=False),
    _text("reason"),
    _number("received_at"),
)
alerts = Table(
    "alerts",
    metadata,
    _text("alert_id", key=True),
    _text("endpoint"),
    _text("monitor"),  # drift | accuracy | calibration | value | data_quality
    _text("subject"),  # a feature, a metric, or ""
    _text("state"),  # pending | firing | acknowledged | resolved
    _text("severity"),  # note | warning | critical
    _text("message"),
    _text("body"),  # JSON: the evidence as records.alerts.Evidence
    _number("event_at"),  # end of the window that opened it
    _number("opened_at"),
    _number("changed_at"),
    _number("resolved_event_at", null=True),
    Index("ix_alerts_by_endpoint", "endpoint", "state"),
    Index("ix_alerts_by_state", "state"),
)
alert_mutes = Table(
    "alert_mutes",
    metadata,
    _text("mute_id", key=True),
    _text("endpoint"),
    _text("monitor", null=True),  # NULL: every monitor
    _text("subject", null=True),  # NULL: every subject
    _text("reason"),
    _number("until_at"),
    _text("muted_by"),
    _number("muted_at"),
    _number("ended_at", null=True),  # somebody ended it before its time
    _text("ended_by", null=True),
    Index("ix_alert_mutes_by_endpoint", "endpoint", "until_at"),
)
alert_notices = Table(
    "alert_notices",
    metadata,
    _text("alert_id", key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),  # 0: it fires; n: escalation n; -1: it is over
    _text("channel", key=True),
    _number("told_at"),
    _text("message_id", null=True),
    _text("problem", null=True),
)

# --- retrain ----------------------------------------------------------------------------------------------------

retraining_runs = Table(
    "retraining_runs",
    metadata,
    _text("retraining_id", key=True),
    _text("endpoint"),
    _text("model"),
    _text("state"),  # queued | training | shadow | review | promoted | rejected | failed
    Column("champion_version", Integer, nullable=False),
    Column("challenger_version", Integer, nullable=True),
    _text("trigger"),  # JSON: what fired, with its figures
    _text("steps"),  # JSON: list of records.retraining.Step
    _text("dossier", null=True),  # JSON of records.retraining.Dossier
    _number("event_at"),
    _number("started_at"),
    _number("ended_at", null=True),
    Index("ix_retraining_by_endpoint", "endpoint", "started_at"),
    Index("ix_retraining_by_model", "model", "champion_version"),
)
jobs = Table(
    "jobs",
    metadata,
    _text("job_id", key=True),
    _text("kind"),
    _text("payload"),  # JSON
    _text("state"),  # waiting | running | done | failed
    Column("attempts", Integer, nullable=False),
    _text("worker", null=True),
    _number("lease_until", null=True),
    _text("result", null=True),  # JSON, or the failure's message
    _number("created_at"),
    _number("changed_at"),
    Index("ix_jobs_by_state", "state", "created_at"),
)

# --- messages that leave the server -----------------------------------------------------------------------------

webhooks = Table(
    "webhooks",
    metadata,
    _text("webhook_id", key=True),
    _text("name"),
    _text("description", null=True),
    _text("url"),
    _text("events"),  # JSON: list of names such as model_version.created
    Column("secret", LargeBinary, nullable=True),  # encrypted with a key of the data folder; never shown again
    _text("status"),  # ACTIVE | DISABLED
    _number("creation_time"),
    _number("last_updated_time"),
)
outbox = Table(
    "outbox",
    metadata,
    _text("message_id", key=True),
    _text("channel"),  # webhook | notice
    _text("destination"),  # the webhook's id, or the name of the channel that is told of alerts
    _text("event"),
    _text("body"),  # JSON: what is sent, byte for byte at every attempt
    _text("state"),  # waiting | sent | given_up
    Column("attempts", Integer, nullable=False),
    _number("created_at"),
    _number("due_at"),
    Index("ix_outbox_by_due", "state", "due_at"),
    Index("ix_outbox_by_destination", "channel", "destination", "created_at"),
)
deliveries = Table(
    "deliveries",
    metadata,
    _text("message_id", key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    _number("at"),
    _number("took_ms"),
    Column("status_code", Integer, nullable=True),  # NULL: nobody answered
    _text("problem", null=True),
)

# --- import from another server ---------------------------------------------------------------------------------

imported = Table(
    "imported",
    metadata,
    _text("source", key=True),  # digest of the source's address, without its credentials
    _text("kind", key=True),  # experiment | run | logged_model | registered_model | model_version
    _text("source_id", key=True),
    _text("target_id"),
    _text("state"),  # begun | done
    _text("said", null=True),  # JSON: digest and counts of what the source had when this was done
    _number("at"),
)
