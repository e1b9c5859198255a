"""What an ONNX file may bring along. ONNX Runtime loads it through mlflow; this is asked before it does.

A graph is data, but it may name files to read its weights from, and operators that live in a library of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import onnx
from onnx.external_data_helper import uses_external_data

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "com.microsoft"})
"""Sets of operators that ONNX Runtime brings itself."""


def problem(folder: Path, path: str, pinned: Iterable[str]) -> str | None:
    """Why an ONNX file is not loaded; None when it may be. `path` and `pinned` are relative to `folder`.

    Weights may lie in another file only if that is pinned with the version: MLflow's client keeps large ones so.
    """
    model = onnx.load(str(folder / path), load_external_data=False)
    known = set(pinned)
    beside = PurePosixPath(path).parent
    for tensor in _tensors(model):
        if uses_external_data(tensor):
            location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
            if ".." in PurePosixPath(location).parts or (beside / location).as_posix() not in known:
                return f"the file {path!r} reads its weights from a file that was not pinned with the version"
    own = {function.domain for function in model.functions}
    foreign = sorted({one.domain for one in model.opset_import} - DOMAINS - own)
    if foreign:
        return f"the file {path!r} needs operators of {', '.join(foreign)}, which ONNX Runtime does not have itself"
    return None


def _tensors(model: Any) -> Iterator[Any]:
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)


def _of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    """What the attributes of nodes hold: tensors, and graphs with nodes of their own."""
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for graph in (attribute.g, *attribute.graphs):
                yield from _of_graph(graph)
