"""What a version answers by, on its page and at the API: the proof, or why its scorer stays."""

from __future__ import annotations

import msgspec

from tenure.records.base import Instant
from tenure.records.forms import Candidate, FormReport, RowClass, Timing
from tenure.records.registry import ModelVersionInfo
from tenure.store import forms
from tenure.store.ground import Ground

from ..manage.test_contents import version_with
from .conftest import Client

PROVEN = FormReport(
    kind="trees",
    reason="",
    candidates=[Candidate(kind="linear", problem="it bends"), Candidate(kind="trees")],
    classes=[RowClass(name="at thresholds", rows=1234, refused=5, largest_difference=2e-16)],
    largest_difference=2e-16,
    tolerance=1e-9,
    computed_in="float32",
    original=Timing(calls=200, p50_us=5191.0, p99_us=7000.0),
    form=Timing(calls=3000, p50_us=9.5, p99_us=20.0),
    size_bytes=2048,
    libraries={"onnxruntime": "1.32.0"},
    warnings=["Callers that send 32 bits get another answer."],
)


def settled(ground: Ground, report: FormReport) -> ModelVersionInfo:
    """A version whose form was settled with a report."""
    now = Instant(1_750_000_000_000_000)
    info = version_with(ground, {"model.ubj": b"{L\x00"})
    name, number = info.name, info.version
    ground.database.write(lambda tx: forms.ask(tx, name, number, info.digest or "", by="ann", now=now))
    form = ground.database.read(lambda tx: forms.free_one(tx, now))
    assert form is not None
    ground.database.write(lambda tx: forms.lease(tx, form, "w", now + 1, now))
    assert ground.database.write(lambda tx: forms.settle(tx, form, "w", report, None, now=now))
    return info


def test_a_proof_shows_with_its_rows_its_figures_and_its_warnings(ground: Ground) -> None:
    info = settled(ground, PROVEN)
    page = Client(ground).get(f"/models/{info.name}/versions/{info.version}").text
    for told in (
        "trees in ONNX Runtime",
        "at thresholds",
        "1,234",
        "2.0e-16",
        "32 bits",
        "it bends",
        "onnxruntime 1.32.0",
    ):
        assert told in page, told
    answered = Client(ground).get(f"/api/v1/models/{info.name}/versions/{info.version}/form").json()
    assert msgspec.convert(answered["report"], FormReport) == PROVEN


def test_why_a_version_keeps_its_scorer_is_said(ground: Ground) -> None:
    info = settled(ground, FormReport(kind="original", reason="it is code of its own", candidates=[]))
    page = Client(ground).get(f"/models/{info.name}/versions/{info.version}").text
    assert "A scorer&#39;s process answers" in page or "A scorer's process answers" in page
    assert "it is code of its own." in page


def test_a_version_that_was_never_in_service_has_no_form(ground: Ground) -> None:
    info = version_with(ground, {"model.ubj": b"{L\x00"})
    path = f"/models/{info.name}/versions/{info.version}"
    assert ">Form<" not in Client(ground).get(path).text
    assert Client(ground).get(f"/api/v1{path}/form").status_code == 404
