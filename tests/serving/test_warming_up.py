"""What a scorer imports, and in which order: most of its start."""

from __future__ import annotations

import pytest

from tenure.records.routing import PinnedFile
from tenure.serving import scorer


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(scorer.importlib, "import_module", names.append)
    return names


def files(*paths: str) -> list[PinnedFile]:
    return [PinnedFile(path=path, size_bytes=1, sha256="0" * 64) for path in paths]


def test_a_spare_scorer_imports_first_what_skops_looks_for(imported: list[str]) -> None:
    scorer.warm_up()
    assert imported == ["scipy.special", "tenure.serving.runtimes.pyfunc", "sklearn.pipeline"]


def test_once_a_model_waits_nothing_more_is_imported_ahead_of_time(imported: list[str]) -> None:
    scorer.warm_up(lambda: True)
    assert not imported
    scorer.warm_up(lambda: len(imported) == 2)
    assert imported == ["scipy.special", "tenure.serving.runtimes.pyfunc"]


def test_only_a_version_with_a_file_of_skops_brings_what_that_looks_for(imported: list[str]) -> None:
    scorer.import_what_is_sought(files("MLmodel", "model.onnx"))
    assert not imported
    scorer.import_what_is_sought(files("MLmodel", "model.skops"))
    assert imported == ["scipy.special"]
