"""A gateway for every protocol: `sums` adds two columns up, `acts` is the tricky model, `empty` has no champion,
`mirrored` has a shadow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenure.records.routing import InputColumn
from tests.serving.conftest import HERE, Gateway, free_port, release

SUMS = """
class Tricky:
    def predict(self, context, model_input, params=None):
        return [float(a) + float(b) for a, b in zip(model_input["a"], model_input["b"], strict=True)]
"""
TWO = [InputColumn(name="a", type="double"), InputColumn(name="b", type="double")]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("spoken")
    for name, code in (("sums", SUMS), ("tricky", (HERE / "tricky_model.py").read_text())):
        (folder / name).mkdir()
        (folder / name / "tricky_model.py").write_text(code)
    data = Path(tmp_path_factory.mktemp("data"))
    one = Gateway(data, free_port(), light=True, max_rows=2000, max_body_mib=1, grpc_port=free_port())
    try:
        one.start()
        one.publish(
            sums=[release(folder / "sums", 3, inputs=TWO)],
            acts=[release(folder / "tricky")],
            empty=[],
            mirrored=[release(folder / "sums", 5, inputs=TWO), release(folder / "sums", 6, "shadow", inputs=TWO)],
        )
        one.serves("r-sums-3-champion")
        one.serves("r-tricky-1-champion")
        one.serves("r-sums-5-champion")
        one.serves("r-sums-6-shadow")
        yield one
    finally:
        one.close()
