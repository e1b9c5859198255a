"""Every kind of attack that servers of this sort have fallen to, with the tests that try it on this one.

The index is data: a test that is renamed or removed fails here. Where there is nothing to attack, a test proves that.
"""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import msgspec
import pytest

from tenure.api import rooms
from tenure.api.mlflow import app as mlflow_app
from tenure.web import site
from tests.promises.write_docs import ROOT

HERE = "promises/test_attacks"


class Kind(NamedTuple):
    """A kind of attack: what stands against it, and the tests that try it, as `folder/module::function`."""

    name: str
    rule: str
    tests: tuple[str, ...]


KINDS: dict[int, Kind] = {
    1: Kind(
        "sign-in for a list of paths, so that new routes are open",
        "One gate stands in front of everything, and a route without a permission keeps the server from starting.",
        (
            "access/test_matrix::test_nobody_gets_anything_but_public_routes",
            "access/test_hostile::test_no_route_answers_a_method_that_it_does_not_declare",
            "access/test_access::test_a_route_without_permission_stops_the_start",
            "api/test_front::test_a_control_whose_routes_declare_nothing_ends_and_says_why",
            "web/test_pages::test_every_page_declares_a_permission",
        ),
    ),
    2: Kind(
        "signed in, but not allowed",
        "Every route asks for a permission, and says which model it is about; roles are tried on all of them.",
        (
            "access/test_matrix::test_each_role_gets_what_it_permits_and_no_more",
            "access/test_matrix::test_a_role_for_one_model_reaches_what_belongs_to_it_and_nothing_else",
            "access/test_matrix::test_what_belongs_to_no_model_wants_a_role_for_all",
            "access/test_matrix::test_lists_show_what_may_be_read",
            "access/test_matrix::test_a_route_about_one_model_without_a_subject_stops_the_start",
            "access/test_beside::test_a_field_that_stands_twice_is_checked_as_it_is_used",
        ),
    ),
    3: Kind(
        "credentials that everybody knows",
        "There is nobody at first; the first administrator comes by a link that the start prints, once.",
        (
            "access/test_set_up::test_a_new_server_knows_nobody",
            "access/test_set_up::test_the_link_makes_the_first_administrator_once",
            "access/test_reached::test_what_others_reach_does_not_start_while_it_trusts_whoever_asks",
        ),
    ),
    4: Kind(
        "an account taken over by activation or reset",
        "What makes an account works once and touches none that exists; a provider's name does not take one over.",
        (
            "access/test_set_up::test_an_account_that_exists_is_not_touched",
            "access/test_set_up::test_each_start_makes_the_link_before_worthless",
            "access/test_set_up::test_the_link_expires",
            "access/test_sso::test_a_name_that_is_here_already_is_not_taken_over",
            "access/test_sso::test_a_code_works_once_and_only_with_its_verifier",
            "access/test_sso::test_an_id_token_that_is_not_good_signs_nobody_in",
        ),
    ),
    5: Kind(
        "around a check by a sub-resource",
        "Files, parts of uploads, signed URLs, releases and messages are checked by what they belong to.",
        (
            "access/test_beside::test_a_scoped_token_reads_its_own_models_file_and_no_other",
            "access/test_beside::test_a_scoped_token_uses_no_door_to_files_that_is_not_about_its_model",
            "access/test_beside::test_a_pinned_file_is_not_replaced_by_who_may_write_everywhere_else",
            "access/test_beside::test_a_release_of_another_endpoint_is_not_ended_through_ones_own",
            "api/mlflow/test_direct::test_a_pinned_file_is_not_replaced_by_any_signed_url",
            "api/mlflow/test_direct::test_what_was_signed_before_a_registration_does_not_change_the_version",
            "api/mlflow/test_direct::test_a_signed_url_is_for_one_plain_path_and_a_time",
            "api/test_webhooks::test_a_message_of_another_webhook_is_not_there",
            "deploy/test_changes::test_a_target_that_cannot_be_is_refused",
            "api/mlflow/test_governed_registry::test_no_route_of_the_registry_walks_around_governance",
        ),
    ),
    6: Kind(
        "paths that climb",
        "A path is checked as it is used, locations are opened below the operator's roots, and no link is followed.",
        (
            "access/test_hostile::test_no_path_of_any_route_climbs",
            "access/test_hostile::test_no_path_in_a_query_or_a_body_climbs",
            "serving/test_flavors::test_an_onnx_file_that_reads_what_was_not_pinned_is_not_loaded",
            "store/test_artifacts::test_a_path_with_a_trick_in_it_is_refused",
            "store/test_artifacts::test_whatever_is_let_through_stays_below_the_root",
            "store/test_artifacts::test_no_link_is_followed_neither_to_a_file_nor_through_a_folder",
            "api/mlflow/test_artifacts::test_no_path_leads_out_of_the_root",
            "api/mlflow/test_roots::test_no_root_may_reach_the_database_or_the_data_folder",
            "api/mlflow/test_registry::test_a_source_must_be_the_clients_to_name",
        ),
    ),
    7: Kind(
        "archives: out of the folder, and bombs",
        "Nothing is extracted; what is unpacked is counted first, or read by a process within limits.",
        (
            f"{HERE}::test_the_server_calls_nothing_that_runs_or_extracts_what_it_is_given",
            "manage/test_tables::test_a_few_bytes_that_would_be_gigabytes_are_refused_before_they_are",
            "manage/test_tables::test_a_column_of_anything_but_plain_values_is_refused",
            "manage/test_contents::test_what_cannot_be_unpacked_is_not_called_data",
            "manage/test_contents::test_what_hides_behind_too_much_or_too_many_is_not_called_data",
            "web/test_parquet::test_what_wants_too_much_is_refused",
            "web/test_previews::test_an_mlmodel_is_summed_up_and_a_bomb_in_it_does_not_go_off",
            "monitor/test_outcomes::test_a_file_that_is_much_larger_unpacked_is_refused_by_its_foot",
        ),
    ),
    8: Kind(
        "code that runs when a model is loaded",
        "Control, gateway and worker load no model; a scorer does, in a process that holds none of our secrets.",
        (
            f"{HERE}::test_the_server_calls_nothing_that_runs_or_extracts_what_it_is_given",
            "promises/test_lean::test_control_starts_without_numbers_charts_or_frameworks",
            "manage/test_contents::test_a_pickle_is_found_in_whatever_it_is_packed",
            "serving/test_gateway::test_a_model_sees_none_of_our_secrets_and_sends_no_telemetry",
            "serving/test_scorers::test_what_a_model_started_dies_with_its_scorer",
            "serving/test_flavors::test_an_onnx_file_with_operators_of_its_own_is_not_loaded",
            "deploy/test_environments::test_a_source_distribution_is_never_built",
        ),
    ),
    9: Kind(
        "code over the wire",
        "Bodies are JSON, forms, CSV or Parquet, whatever their content type says.",
        (
            "access/test_hostile::test_no_route_runs_what_is_sent",
            "api/mlflow/test_wire::test_a_body_must_be_announced_as_json",
            "serving/test_decoding::test_any_bytes_are_taken_or_refused",
        ),
    ),
    10: Kind(
        "around a loader that calls itself safe",
        "No loader is trusted: scorers and readers are processes of their own, without our secrets.",
        (
            "serving/test_gateway::test_a_model_sees_none_of_our_secrets_and_sends_no_telemetry",
            "serving/test_scorers::test_scorers_die_with_their_gateway",
            "web/test_parquet::test_it_knows_nothing_of_the_server",
            "manage/test_contents::test_a_file_that_ends_the_reader_is_not_kept_and_the_others_are_read",
        ),
    ),
    11: Kind(
        "a list of what to trust, read from what is to be trusted",
        "What a version says of itself is no evidence; what was found in its bytes is.",
        ("manage/test_contents::test_a_word_in_the_files_themselves_makes_nothing_trusted",),
    ),
    12: Kind(
        "around a scanner",
        "A scan permits nothing, and what it could not look into is not called data.",
        (
            "manage/test_contents::test_what_hides_behind_too_much_or_too_many_is_not_called_data",
            "manage/test_contents::test_an_archive_behind_a_pickle_does_not_hide_it",
            "manage/test_contents::test_what_cannot_be_unpacked_is_not_called_data",
            "manage/test_contents::test_a_file_that_changed_after_it_was_pinned_is_not_scanned_under_its_digest",
            "web/test_contents::test_the_page_says_what_is_dangerous_and_that_a_scan_permits_nothing",
        ),
    ),
    13: Kind(
        "commands in metadata",
        "No shell is started anywhere, and what is started is our own module with arguments of ours.",
        (
            f"{HERE}::test_the_server_calls_nothing_that_runs_or_extracts_what_it_is_given",
            f"{HERE}::test_what_is_started_is_named_here",
        ),
    ),
    14: Kind(
        "lines in a build file",
        "No build file is made of what clients say: none is written at all.",
        (f"{HERE}::test_no_build_file_is_written",),
    ),
    15: Kind(
        "a webhook that reaches into the network",
        "The address that is connected to is what counts; redirects and proxies are not followed.",
        (
            "integrate/test_receivers::test_a_name_that_means_a_private_address_is_not_connected_to",
            "integrate/test_receivers::test_a_name_that_changes_its_meaning_is_looked_up_once",
            "integrate/test_receivers::test_the_address_that_is_connected_to_is_what_counts",
            "integrate/test_receivers::test_a_redirect_is_an_answer_and_not_followed",
            "integrate/test_receivers::test_proxies_of_the_environment_are_not_used",
            "build/test_webhook_addresses::test_an_address_of_this_machine_or_its_networks_is_not_public",
            "build/test_webhook_addresses::test_an_address_to_which_nothing_will_be_sent_is_refused_at_once",
            "deploy/test_exports::test_what_does_not_fit_is_refused",
            "integrate/test_exports::test_a_redirect_is_not_followed",
            "integrate/test_exports::test_an_address_that_is_no_longer_allowed_gets_nothing",
        ),
    ),
    16: Kind(
        "a name that turns to this machine",
        "The Host must be one of ours exactly, with its port, and so must the Origin.",
        (
            "access/test_matrix::test_no_route_answers_another_host_or_origin",
            "access/test_access::test_another_host_is_refused",
            "access/test_access::test_a_page_of_another_origin_is_refused",
        ),
    ),
    17: Kind(
        "another site's forms",
        "In a session every method that may change something wants the session's token.",
        (
            "access/test_matrix::test_in_a_session_every_unsafe_method_needs_its_csrf_token",
            "access/test_access::test_every_unsafe_method_of_a_session_needs_its_csrf_token",
            "api/test_people::test_another_sites_page_reaches_nothing_that_writes",
            "api/test_people::test_every_unsafe_route_refuses_a_visitor",
            "api/test_people::test_the_sessions_cookie_is_out_of_reach_of_scripts_and_other_sites",
        ),
    ),
    18: Kind(
        "markup in a card, a name, a plot",
        "Texts are escaped, scripts come from us alone, and stored files leave in a sandbox or as downloads.",
        (
            "web/test_markup::test_links_lead_to_every_kind_of_page",
            "web/test_markup::test_markup_in_any_text_stays_text_on_every_page",
            "web/test_markup::test_a_filter_cannot_carry_markup",
            "web/test_markup::test_a_stored_file_never_runs_in_our_origin",
            "web/test_pages::test_every_page_comes_with_its_headers",
            "web/test_runs::test_a_file_itself_comes_from_a_sandbox",
            "api/mlflow/test_artifacts::test_a_download_says_what_it_is_and_never_what_a_browser_would_run",
        ),
    ),
    19: Kind(
        "connector strings",
        "No route takes the address of a database or a store; locations are opened below the operator's roots alone.",
        (
            f"{HERE}::test_no_request_carries_code_or_a_connection",
            "store/test_roots::test_a_root_of_a_kind_that_is_not_read_here_is_recorded_and_never_opened",
            "api/mlflow/test_roots::test_a_location_outside_the_roots_is_recorded_and_not_opened",
        ),
    ),
    20: Kind(
        "jobs as an open door",
        "A job names a recipe that the server was started with; no request carries code, and models do no job.",
        (
            f"{HERE}::test_no_request_carries_code_or_a_connection",
            "retrain/test_loop::test_an_unknown_recipe_fails_the_run_and_says_which_are_known",
        ),
    ),
    21: Kind(
        "more than the server can take",
        "Bytes, rows, nesting, forms, steps, opcodes, passwords in line and requests in line have limits.",
        (
            "access/test_hostile::test_no_nesting_fails_a_route",
            "access/test_hostile::test_no_length_fails_a_route",
            "access/test_access::test_too_many_passwords_in_line_are_refused",
            "access/test_access::test_a_password_that_is_too_long_is_wrong",
            "access/test_lockouts::test_the_memory_of_addresses_does_not_grow",
            "api/test_people::test_a_form_that_is_too_large_is_refused",
            "api/mlflow/test_wire::test_a_body_may_not_be_larger_than_the_limit",
            "api/mlflow/test_artifacts::test_a_large_upload_and_download_stay_in_bounded_memory",
            "api/mlflow/test_runs::test_a_pattern_that_is_built_to_be_slow_is_answered_at_once",
            "manage/test_expressions::test_what_is_built_to_be_slow_is_refused_at_once",
            "manage/test_expressions::test_what_grows_with_the_facts_is_cut_at_the_gate",
            "manage/test_parsing::test_a_file_that_is_nested_too_deep_is_refused",
            "records/test_model_files::test_a_text_that_is_too_long_is_not_read",
            "serving/test_decoding::test_too_many_rows_are_too_large",
            "serving/test_gateway::test_a_large_body_without_a_length_is_refused_and_not_kept",
            "serving/protocols/test_v2_rest::test_bytes_that_lie_are_refused",
            "serving/protocols/test_mlflow_forms::test_a_file_that_would_unpack_to_gigabytes_is_refused_before_it_does",
            "serving/test_scorers::test_when_too_many_wait_the_next_is_told_so_at_once",
            "integrate/test_receivers::test_a_body_without_end_is_not_read",
        ),
    ),
    22: Kind(
        "a session that outlives its password",
        "A session ends with every change of its person's password or roles, a token with its revocation.",
        (
            "access/test_lockouts::test_a_session_ends_with_a_change_of_what_its_person_is",
            "access/test_access::test_a_session_ends_when_the_epoch_changes",
            "access/test_access::test_a_remembered_password_ends_with_the_epoch",
            "access/test_tokens::test_a_revoked_token_and_a_revoked_role_count_at_once",
            "manage/test_changes::test_a_proof_ends_when_the_password_changes",
        ),
    ),
    23: Kind(
        "secrets in the clear",
        "Secrets are kept as digests or sealed, and stand in no log, event, answer, page or file.",
        (
            "access/test_secrets::test_no_log_tells_a_secret",
            "access/test_secrets::test_no_answer_and_no_page_tells_a_secret",
            "access/test_secrets::test_no_event_and_no_row_keeps_a_secret",
            "access/test_secrets::test_no_file_keeps_a_secret",
            "access/test_tokens::test_a_token_is_shown_once_and_kept_as_a_digest",
            "build/test_webhooks::test_a_secret_is_sealed_and_told_nowhere",
            "manage/test_vault::test_an_attribute_is_sealed_and_told_without_its_values",
            "build/test_webhook_addresses::test_logs_tell_the_host_alone",
        ),
    ),
    24: Kind(
        "a runner that may too much",
        "Scorers, readers and proxy tests get no secret; a training job gets no key of ours and signs nothing.",
        (
            "manage/test_vault::test_a_training_job_holds_a_key_of_its_own",
            "manage/test_vault::test_the_child_gets_the_rows_and_no_secret",
            "manage/test_vault::test_only_a_steward_has_the_permission",
            "retrain/test_jobs::test_a_recipe_is_not_given_the_secret_of_who_signs_people_in",
            "serving/test_gateway::test_a_model_sees_none_of_our_secrets_and_sends_no_telemetry",
            "access/test_roles::test_a_service_never_signs",
        ),
    ),
    25: Kind(
        "a cache that answers for another",
        "What is remembered stands under the whole credential's digest, for a moment, and ends with the epoch.",
        (
            "access/test_beside::test_no_ones_remembered_password_answers_for_another",
            "access/test_beside::test_no_ones_remembered_token_answers_for_another",
            "access/test_tokens::test_without_the_epoch_a_revoked_token_is_refused_within_a_second",
            "access/test_access::test_no_character_of_a_token_can_be_changed",
        ),
    ),
    26: Kind(
        "other bytes after the check",
        "What is loaded is what was approved: digests are checked at every door and once more at the load.",
        (
            "api/test_changes::test_files_that_are_not_what_was_registered_go_into_service_by_no_door",
            "manage/test_changes::test_bytes_that_change_in_review_void_the_change_at_the_next_signature",
            "deploy/test_fetching::test_a_file_that_is_not_what_was_pinned_is_refused_and_nothing_is_left",
            "serving/test_scorers::test_a_version_whose_bytes_changed_is_not_loaded",
            "api/mlflow/test_artifacts::test_no_file_changes_while_its_folder_is_registered",
            "manage/test_interleavings::test_nothing_is_approved_but_as_it_was_signed",
        ),
    ),
    27: Kind(
        "labels that lie",
        "Outcomes need a permission of their own, are checked whole, and the first stands: a second is a conflict.",
        (
            "access/test_matrix::test_each_role_gets_what_it_permits_and_no_more",
            "monitor/test_outcomes::test_a_batch_with_a_mistake_is_refused_as_a_whole_and_the_place_is_named",
            "monitor/test_outcomes::test_nan_in_a_file_is_refused_with_its_row",
            "monitor/test_intake::test_an_equal_repetition_is_ignored_and_a_different_one_is_kept_as_a_conflict",
            "monitor/test_intake::test_an_outcome_for_another_endpoint_is_not_taken",
            "retrain/test_loop::test_too_few_outcomes_start_nothing",
        ),
    ),
    28: Kind(
        "a policy that fails open",
        "A fact that is missing, an error and too much work are a no.",
        (
            "manage/test_published::test_each_fact_that_a_rule_reads_denies_when_it_is_dropped",
            "manage/test_policies::test_a_missing_fact_fails_with_an_explanation",
            "manage/test_cel::test_what_cannot_be_answered_does_not_hold",
            "manage/test_cel::test_an_engine_that_breaks_permits_nothing",
            "manage/test_published::test_a_ban_may_have_a_condition_which_counts_as_true_when_nobody_knows",
            "manage/test_provenance::test_what_is_not_known_or_not_clean_fails",
        ),
    ),
    29: Kind(
        "an audit log that is written anew",
        "The database refuses; the chain names the event that does not fit; checkpoints elsewhere show the rest.",
        (
            "store/test_audit::test_the_database_refuses_to_change_the_log",
            "store/test_audit::test_sqlite_refuses_to_replace_an_event",
            "store/test_audit::test_postgres_refuses_to_truncate_the_log",
            "store/test_audit::test_tampering_is_named_by_its_event",
            "manage/test_checkpoints::test_a_cut_tail_shows",
            "manage/test_checkpoints::test_a_log_that_was_written_anew_shows",
            "manage/test_checkpoints::test_an_export_that_was_changed_is_named_by_its_event",
            "monitor/test_segments::test_a_file_that_was_changed_or_taken_away_is_named",
        ),
    ),
    30: Kind(
        "SQL in a filter, an order or a search",
        "Filters are parsed, values are bound; what cannot be read is refused.",
        (
            "access/test_hostile::test_no_query_of_ours_is_sql",
            "access/test_hostile::test_no_filter_and_no_order_fails_a_search",
            "api/mlflow/test_search::test_what_is_nearly_in_the_language_is_answered_like_plain_python_or_refused",
            "build/test_search::test_any_text_is_read_or_refused_and_nothing_else",
            "store/test_database::test_a_failure_of_the_database_tells_no_sql",
            f"{HERE}::test_no_statement_is_put_together_from_what_somebody_says",
        ),
    ),
    31: Kind(
        "rules that are loosened by whom they bind",
        "A looser file of a governed model stands when the people of the standing one have signed, by whatever door.",
        (
            "manage/test_loosening::test_every_key_of_the_file_has_a_judge",
            "manage/test_loosening::test_two_steps_that_loosen_nothing_loosen_nothing_together",
            "manage/test_revisions::test_no_row_of_harmless_looking_files_leads_around_the_signatures",
            "manage/test_revisions::test_who_asked_does_not_sign",
            "manage/test_revisions::test_a_role_that_was_given_after_it_was_asked_does_not_sign",
            "manage/test_revisions::test_the_steps_of_the_standing_file_count_not_those_of_the_new_one",
            "manage/test_revisions::test_what_stands_meanwhile_voids_what_was_asked",
            "manage/test_revisions::test_two_people_who_race_make_one_revision",
            "manage/test_revisions::test_retiring_the_only_version_sets_nobody_free",
            "manage/test_revisions::test_a_pinned_file_that_was_changed_in_the_database_is_not_signed",
            "api/test_revisions::test_a_change_of_the_file_is_asked_for_by_applying_one_and_by_no_other_door",
            "api/test_revisions::test_an_older_revision_is_no_way_back_to_looser_rules",
            "api/mlflow/test_governed_registry::test_no_tag_loosens_a_rule",
            "web/test_model_files::test_what_is_looser_is_marked_asked_for_with_a_reason_and_shown_on_its_change",
            "cli/test_versions::test_a_loosening_file_opens_a_change_that_the_lists_tell_of",
        ),
    ),
}


@cache
def functions_of(module: str) -> frozenset[str]:
    path = ROOT / "tests" / f"{module}.py"
    return frozenset(node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef))


def test_every_kind_has_a_rule_and_a_test() -> None:
    assert sorted(KINDS) == list(range(1, 32))
    assert all(kind.rule.endswith(".") and kind.tests for kind in KINDS.values())


@pytest.mark.parametrize("number", KINDS)
def test_what_proves_a_rule_is_there(number: int) -> None:
    for told in KINDS[number].tests:
        module, _, name = told.partition("::")
        assert name in functions_of(module), told


# --- what there is none of ---

RUNS = {
    ("", "eval"),
    ("", "exec"),
    ("", "compile"),
    ("", "__import__"),
    ("os", "system"),
    ("os", "popen"),
    *(
        (module, name)
        for module in ("pickle", "marshal", "dill", "joblib", "cloudpickle", "torch")
        for name in ("load", "loads")
    ),
    ("shelve", "open"),
    ("pandas", "read_pickle"),
    ("pd", "read_pickle"),
    ("yaml", "unsafe_load"),
    ("yaml", "full_load"),
    ("shutil", "unpack_archive"),
    ("subprocess", "getoutput"),
}
METHODS = {"extractall", "extract", "read_pickle", "create_subprocess_shell"}
SAFE_LOADERS = ("_Unaliased", "getattr(yaml, 'CSafeLoader', yaml.SafeLoader)")


@cache
def sources() -> tuple[tuple[str, ast.Module], ...]:
    """Every module of the server, by its path; the demo is a user of it."""
    folder = ROOT / "tenure"
    named = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.py"))}
    return tuple((name, ast.parse(path.read_text())) for name, path in named.items() if not name.startswith("demo/"))


class Called(NamedTuple):
    """A call: where, what, and the name before and behind its last dot."""

    place: str
    node: ast.Call
    before: str
    name: str


def calls_in(place: str, tree: ast.Module) -> Iterator[Called]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield Called(f"{place}:{node.lineno}", node, "", node.func.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield Called(f"{place}:{node.lineno}", node, ast.unparse(node.func.value), node.func.attr)


@cache
def calls() -> tuple[Called, ...]:
    return tuple(call for place, tree in sources() for call in calls_in(place, tree))


def runs_or_extracts(call: Called) -> bool:
    """Whether a call runs code that it is given, or unpacks an archive to a disk."""
    words = {word.arg: ast.unparse(word.value) for word in call.node.keywords}
    unsafe_yaml = (call.before, call.name) == ("yaml", "load") and words.get("Loader") not in SAFE_LOADERS
    return (call.before, call.name) in RUNS or call.name in METHODS or unsafe_yaml or "shell" in words


@pytest.mark.parametrize(
    "code",
    [
        "eval(x)",
        "pickle.loads(x)",
        "yaml.load(x)",
        "subprocess.run(x, shell=True)",
        "archive.extractall()",
        "os.system(x)",
    ],
)
def test_what_runs_or_extracts_would_be_found(code: str) -> None:
    assert [runs_or_extracts(call) for call in calls_in("x.py", ast.parse(code))] == [True]


def test_the_server_calls_nothing_that_runs_or_extracts_what_it_is_given() -> None:
    assert len(calls()) > 10_000
    assert [f"{call.place} {call.before}.{call.name}" for call in calls() if runs_or_extracts(call)] == []


IMPORTED = {
    "__init__.py": "our own sdk, by a table",
    "cli/main.py": "our own commands, by a table",
    "serving/scorer.py": "our own runtimes, by a table, and what a spare process loads before it is needed",
    "manage/cel.py": "the policy engine",
    "monitor/rivals.py": "river's detectors, by a table",
    "retrain/training.py": "a recipe, as the operator named it at the start",
}


def test_what_is_imported_by_name_is_named_here() -> None:
    assert {place.partition(":")[0] for place, _, _, name in calls() if name == "import_module"} - set(
        IMPORTED
    ) == set()


STARTED = {
    "deploy/compiling.py": "self._command(path, settings.compile_memory_mib)",
    "deploy/locking.py": "command",
    "manage/contents.py": "COMMAND",
    "manage/proxies.py": "",
    "monitor/alert_rows.py": "",
    "retrain/jobs.py": "self._command(job_id)",
    "store/confined.py": "self.command",
    "serving/processes.py": "",
    "supervisor.py": "[sys.executable, '-m', 'tenure.app', self.kind]",
    "web/parquet.py": "",
    "web/pictures.py": "command",
    "sdk/repository.py": "",
}
"""Modules that start a process, with what they start where one expression says it."""


def test_what_is_started_is_named_here() -> None:
    """Git for the sdk, uv for environments, else our own modules: an argument vector, never a text."""
    for place, node, before, name in calls():
        if before == "subprocess" and name in ("run", "Popen", "call", "check_output", "check_call"):
            known = STARTED[place.partition(":")[0]]
            assert not isinstance(node.args[0], ast.Constant | ast.JoinedStr), place
            assert not known or ast.unparse(node.args[0]) == known, place
        assert not (before == "os" and name.startswith(("spawn", "exec", "posix_spawn"))), place


BUILD_FILES = ("Dockerfile", "docker-compose", "requirements.txt", "conda.yaml", "Makefile", ".sh")


def test_no_build_file_is_written() -> None:
    """Names of build files stand nowhere in the server's code; a version's own are bytes like any other."""
    found = []
    for place, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
                found += [f"{place} {node.value}" for name in BUILD_FILES if node.value.endswith(name)]
    assert found == ["deploy/requirements.py requirements.txt", "manage/contents.py .sh"], "which read such files, and "
    "call one what it is: code"


CARRYING = {"code", "command", "cmd", "script", "entrypoint", "image", "module", "callable", "env", "environment"}
CONNECTING = {"connector", "connection", "dsn", "jdbc", "database_url", "credentials", "driver", "host"}


def requests() -> Iterator[tuple[str, Any]]:
    """What each route takes as its body."""
    for handler in [*(one for room in rooms.ROOMS for one in room.handlers), *site.handlers]:
        given = typing.get_type_hints(handler.fn).get("data")
        if given is not None:
            yield f"{inspect.getmodule(handler.fn).__name__}.{handler.fn.__name__}", given  # type: ignore[union-attr]
    yield from ((f"{route.method} {route.path}", route.request) for route in mlflow_app.ROUTES if route.request)


def fields_of(kind: Any, seen: set[Any]) -> Iterator[str]:
    if kind in seen:
        return
    seen.add(kind)
    for inner in typing.get_args(kind):
        yield from fields_of(inner, seen)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            yield field.encode_name
            yield from fields_of(field.type, seen)


@pytest.mark.filterwarnings("ignore:Deprecated 'query' parameter:DeprecationWarning")
def test_no_request_carries_code_or_a_connection() -> None:
    taken = {where: set(fields_of(kind, set())) for where, kind in requests()}
    assert len(taken) > 60
    assert sum(map(len, taken.values())) > 300
    assert {
        where: names & (CARRYING | CONNECTING) for where, names in taken.items() if names & (CARRYING | CONNECTING)
    } == {}


STATEMENTS = {
    "store/migrate.py": "pragmas and locks of our own",
    "store/database.py": "pragmas and settings of our own",
    "batch/queries.py": "the query that whoever types the command asks of their own database",
}


def test_no_statement_is_put_together_from_what_somebody_says() -> None:
    """A text that becomes SQL is a constant, or stands in a migration or beside a pragma."""
    found = []
    for place, node, _, name in calls():
        file = place.partition(":")[0]
        if name not in ("exec_driver_sql", "text", "executescript") or "migrations/" in file or file in STATEMENTS:
            continue
        if name == "text" and ast.unparse(node.func) not in ("sa.text", "sqlalchemy.text"):
            continue
        if node.args and not isinstance(node.args[0], ast.Constant | ast.Name):
            found.append(f"{place} {ast.unparse(node.args[0])[:60]}")
    assert found == []
