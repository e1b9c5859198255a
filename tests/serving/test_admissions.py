"""What a model's file admits, through a real gateway: who, when, where, what for, which values and how many."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tenure.manage import conditions
from tenure.records.admission import AdmissionRules, ColumnRule, UseRules
from tenure.records.base import DAY_US
from tenure.records.frames import PredictionFrame, RefusalFrame
from tenure.records.routing import RoutingTable
from tenure.serving import routing

from .conftest import HERE, Gateway, act, free_port, release, table, wait_until

RULE = ColumnRule(name="number", low=0, high=80)
MORE = {"dataframe_records": [{"what": "echo", "number": float(n)} for n in (10, 90, -5)]}


@pytest.fixture(scope="module")
def admitting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Path]]:
    """One gateway for the module; a test publishes the rules it is about."""
    folder = tmp_path_factory.mktemp("admitting")
    tricky = tmp_path_factory.mktemp("model") / "tricky"
    tricky.mkdir()
    shutil.copy(HERE / "tricky_model.py", tricky)
    one = Gateway(folder, free_port(), light=True)
    try:
        one.start()
        one.publish(tricky=[release(tricky)])
        one.serves("r-tricky-1-champion")
        yield one, tricky
    finally:
        one.close()


@pytest.fixture
def ask(admitting: tuple[Gateway, Path]) -> Callable[..., httpx.Response]:
    """Publish rules, then ask a request of the endpoint; rules stay until others are given."""
    gateway, folder = admitting

    def asked(
        body: Any = None,
        *,
        use: dict[str, Any] | None = None,
        columns: list[ColumnRule] | None = None,
        revision: int = 3,
        **headers: str,
    ) -> httpx.Response:
        if use is not None or columns is not None:
            rules = AdmissionRules(model="tricky", revision=revision, use=UseRules(**use or {}), columns=columns or [])
            publish(gateway, folder, rules)
        return gateway.score("tricky", body or act("echo"), **headers)

    return asked


def publish(gateway: Gateway, folder: Path, rules: AdmissionRules | None) -> None:
    gateway.epoch += 1
    made = table(gateway.epoch, tricky=[release(folder)])
    route = msgspec.structs.replace(made.routes["tricky"], admission=rules)
    routing.write_table(gateway.folder, msgspec.structs.replace(made, routes={"tricky": route}))


def last(gateway: Gateway, kind: type) -> Any:
    return [frame for frame in gateway.frames() if isinstance(frame, kind)][-1]


@pytest.mark.parametrize(
    ("use", "headers", "status", "reason", "said"),
    [
        ({"jurisdictions": ["US", "EU"]}, {"tenure_jurisdiction": "BR"}, 403, "jurisdiction", "used in US, EU only"),
        ({"jurisdictions": ["US", "EU"]}, {"tenure_jurisdiction": "EU"}, 200, "", ""),
        ({"jurisdictions": ["US", "EU"]}, {}, 200, "", ""),
        ({"jurisdictions": ["US"], "require": ["jurisdiction"]}, {}, 403, "missing", "Tenure-Jurisdiction"),
        ({"purposes": ["credit"]}, {"tenure_purpose": "Marketing"}, 403, "purpose", "used for credit only"),
        ({"purposes": ["credit"]}, {"tenure_purpose": "Credit"}, 200, "", ""),
        ({"not_for": ["crew scheduling"]}, {"tenure_purpose": "Crew_Scheduling"}, 403, "purpose", "not be used for"),
        ({"not_for": ["crew scheduling"]}, {"tenure_purpose": "planning"}, 200, "", ""),
        ({"require": ["channel"]}, {}, 403, "missing", "say its channel"),
        ({"callers": ["somebody"]}, {}, 403, "caller", "`use.callers`"),
        ({"callers": ["owner"]}, {}, 200, "", ""),
        ({"valid_until_at": 20_000 * DAY_US}, {}, 403, "time", "to 2024-10-03 (UTC)"),
        ({"valid_from_at": 60_000 * DAY_US}, {}, 403, "time", "from 2134-04-11"),
        ({"valid_from_at": 0, "valid_until_at": 60_000 * DAY_US}, {}, 200, "", ""),
        ({"allow": "request.channel in ['app', 'web']"}, {"tenure_channel": "fax"}, 403, "allow", "`use.allow`"),
        ({"allow": "request.channel in ['app', 'web']"}, {}, 403, "allow", "Tenure-Channel"),
        ({"allow": "request.channel in ['app', 'web']"}, {"tenure_channel": "web"}, 200, "", ""),
        ({"allow": "request.caller_kind == 'owner' && request.rows < 2 && request.hour >= 0"}, {}, 200, "", ""),
        ({"allow": "request.jurisdiction == 'US'", "jurisdictions": ["US"]}, {}, 200, "", ""),
        ({"rows_per_day": 0}, {}, 413, "", "at most 0 rows"),
    ],
)
def test_what_is_not_allowed_is_refused_with_a_reason_and_journaled_without_its_values(
    ask: Callable[..., httpx.Response],
    admitting: tuple[Gateway, Path],
    use: dict[str, Any],
    headers: dict[str, str],
    status: int,
    reason: str,
    said: str,
) -> None:
    if "allow" in use:
        use = use | {"allow": conditions.compiled(use["allow"])}
    answer = ask(act("echo", 48151623.5), use=use, **headers)
    assert answer.status_code == status, answer.text
    if status == 200:
        admitted = last(admitting[0], PredictionFrame).admitted
        assert admitted.revision == 3
        return
    assert said in answer.json()["error"]["message"]
    for value in ("48151623.5", *headers.values()):
        assert value.strip() == "" or value not in answer.text
    if reason:
        refused = last(admitting[0], RefusalFrame)
        assert (refused.reason, refused.rows, refused.caller, refused.revision) == (reason, 1, "owner", 3)
        assert "48151623.5" not in msgspec.json.encode(refused).decode()


def test_a_request_is_taken_for_the_only_place_and_purpose_there_is(ask: Callable[..., Any], admitting: Any) -> None:
    assert ask(use={"jurisdictions": ["US"], "purposes": ["credit"]}, tenure_channel="app").status_code == 200
    admitted = last(admitting[0], PredictionFrame).admitted
    assert (admitted.jurisdiction, admitted.purpose, admitted.channel) == ("US", "credit", "app")


@pytest.mark.parametrize("outside", ["reject", "clip", "flag"])
def test_values_outside_of_a_range_are_refused_clipped_or_flagged(
    ask: Callable[..., httpx.Response], admitting: tuple[Gateway, Path], outside: Any
) -> None:
    rule = msgspec.structs.replace(RULE, outside=outside)
    answer = ask(MORE, columns=[rule])
    if outside == "reject":
        assert answer.status_code == 400
        told = answer.json()["error"]
        assert told["code"] == "values_refused"
        assert told["where"] == "number[1]"
        assert told["problems"][0]["reason"] == "range"
        assert "must lie between 0 and 80. Got one outside in row 1" in told["message"]
        assert last(admitting[0], RefusalFrame).where == ["number"]
        return
    frame = last(admitting[0], PredictionFrame)
    if outside == "clip":
        assert answer.json() == {"predictions": [10.0, 80.0, 0.0]}
        assert frame.columns["number"] == [10.0, 80.0, 0.0]
        assert frame.admitted.clipped == {"number": {1: 90.0, 2: -5.0}}
    else:
        assert answer.json() == {"predictions": [10.0, 90.0, -5.0]}
        assert frame.admitted.flagged == {"number": [1, 2]}


def test_a_missing_value_is_refused_where_the_file_says_so(ask: Callable[..., httpx.Response]) -> None:
    body = {"dataframe_records": [{"what": "echo"}]}
    assert ask(body, columns=[RULE]).status_code == 200
    answer = ask(body, columns=[msgspec.structs.replace(RULE, null="reject")])
    assert answer.status_code == 400
    assert answer.json()["error"]["problems"][0]["reason"] == "null"
    assert ask(act("echo", 1.0)).status_code == 200


def test_a_quota_is_never_overdrawn_by_requests_at_once(
    ask: Callable[..., httpx.Response], admitting: tuple[Gateway, Path]
) -> None:
    """The model's name is this test's own, so that nothing is used of its quota yet."""
    gateway, folder = admitting
    use = UseRules(rows_per_day=20)
    publish(gateway, folder, AdmissionRules(model="counted", revision=1, use=use))
    body = {"dataframe_records": [{"what": "echo", "number": 1.0}] * 3}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: gateway.score("tricky", body), range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] * 6 + [429] * 6
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert refused.json()["error"]["code"] == "over_quota"
    assert last(gateway, RefusalFrame).reason == "quota"


def test_what_was_used_and_counted_is_known_after_a_restart(
    ask: Callable[..., httpx.Response], admitting: tuple[Gateway, Path]
) -> None:
    gateway, folder = admitting
    rules = AdmissionRules(model="kept", revision=1, use=UseRules(rows_per_day=1), columns=[RULE])
    publish(gateway, folder, rules)
    assert gateway.score("tricky", act("echo", 99.0)).status_code == 200
    assert gateway.score("tricky", act("echo", 1.0)).status_code == 429

    def told() -> dict[str, int]:
        (status,) = routing.read_statuses(gateway.folder)
        return status.admissions.get("tricky", {})

    wait_until(lambda: told().get("flagged") and told().get("quota"), "control can read what was counted")
    gateway.stop()
    gateway.start()
    gateway.serves("r-tricky-1-champion")
    assert gateway.score("tricky", act("echo", 1.0)).status_code == 429


def test_a_table_of_an_earlier_release_is_still_read(admitting: tuple[Gateway, Path], tmp_path: Path) -> None:
    gateway, folder = admitting
    publish(gateway, folder, None)
    whole = msgspec.json.decode((gateway.folder / "routing" / "table.json").read_bytes())
    for route in whole["routes"].values():
        del route["admission"]
    read = msgspec.json.decode(msgspec.json.encode(whole), type=RoutingTable)
    assert read.routes["tricky"].admission is None
    wait_until(lambda: gateway.score("tricky", act("echo")).status_code == 200, "it answers without rules")
    assert last(gateway, PredictionFrame).admitted is None


def test_rules_change_with_the_next_request(ask: Callable[..., httpx.Response]) -> None:
    for _ in range(3):
        assert ask(use={"callers": ["somebody"]}).status_code == 403
        assert ask(use={"callers": ["owner"]}).status_code == 200
