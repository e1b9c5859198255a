"""Whole pipelines through skl2onnx: for estimators that are neither linear nor trees, such as networks and kernels."""

from __future__ import annotations

from typing import Any

from tenure.serving.forms.making.encoding import Column, Encoding
from tenure.serving.forms.making.subject import CannotCompile, Subject
from tenure.serving.forms.onnx import runner
from tenure.serving.forms.program import Finish, Number, Program, Table

TOLERANCE = 1e-6


def converted(encoding: Encoding, *, double: bool) -> tuple[Program, bytes]:
    """The pipeline in ONNX, its numbers in 64 or 32 bits. Raises CannotCompile."""
    subject = encoding.subject
    if subject.flavour != "mlflow.sklearn":
        raise CannotCompile("skl2onnx converts pipelines of scikit-learn")
    numbers, tables = [], []
    for column in encoding.columns:
        if column.type == "boolean" or (column.type == "string" and column.null):
            raise CannotCompile(f"the column {column.name!r} is of a type, or may be missing, as ONNX does not know it")
        if column.type == "string":
            tables.append(_known(column))
        else:
            null: list[float] | None = [] if column.null else None
            numbers.append(Number(name=column.name, low=column.low, high=column.high, null=null))
    by_column = bool(tables) or any(type(step).__name__ == "ColumnTransformer" for step in subject.steps)
    kinds = {column.name: _kind(column, double, by_column) for column in encoding.columns}
    feeds = kinds if by_column else {"": "double" if double else "float"}
    onnx = _written(subject, feeds, len(encoding.columns))
    return Program(kind="onnx", numbers=numbers, tables=tables, finish=_finish(subject), feeds=feeds), onnx


def _kind(column: Column, double: bool, by_column: bool) -> str:
    if column.type == "string":
        return "string"
    if column.type in ("long", "integer") and by_column:
        return "long"
    return "double" if double else "float"


def _known(column: Column) -> Table:
    """Which categories are taken; what they become is the pipeline's affair."""
    taken: list[float] | None = []
    keys = column.keys or []
    return Table(
        name=column.name, keys=keys, rows=[[] for _ in keys], unknown=taken if column.unknown else None, null=None
    )


def _finish(subject: Subject) -> Finish:
    if hasattr(subject.estimator, "classes_"):
        if subject.function == "predict":
            if not all(type(label) in (int, str) for label in subject.estimator.classes_.tolist()):
                raise CannotCompile("its labels are neither texts nor whole numbers")
            return Finish(says="label")
        return Finish(says="values")
    return Finish(says="value" if getattr(subject.estimator, "n_outputs_", 1) == 1 else "values")


def _written(subject: Subject, feeds: dict[str, str], width: int) -> bytes:
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common import data_types

        types = {
            "double": data_types.DoubleTensorType,
            "float": data_types.FloatTensorType,
            "long": data_types.Int64TensorType,
            "string": data_types.StringTensorType,
        }
        given: Any = [(name or "x", types[kind]([None, 1 if name else width])) for name, kind in feeds.items()]
        whole = subject.whole
        options = {id(subject.estimator): {"zipmap": False}} if hasattr(subject.estimator, "classes_") else None
        model = convert_sklearn(whole, initial_types=given, options=options)
        return _with_one_output(model, subject)
    except CannotCompile:
        raise
    except Exception as problem:
        raise CannotCompile(f"skl2onnx does not convert it ({type(problem).__name__})") from None


def _with_one_output(model: Any, subject: Subject) -> bytes:
    from onnx import TensorProto, helper

    outputs = list(model.graph.output)
    wanted = outputs[-1] if subject.function == "predict_proba" else outputs[0]
    model.graph.node.append(helper.make_node("Identity", [wanted.name], ["y"]))
    problem: Exception | None = None
    for kind in (wanted.type.tensor_type.elem_type, TensorProto.DOUBLE, TensorProto.FLOAT):
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info("y", kind, None))
        written: bytes = model.SerializeToString()
        try:
            runner(written)
        except Exception as failed:  # skl2onnx does not always declare the type that comes out
            problem = failed
        else:
            return written
    raise CannotCompile("ONNX Runtime does not load what skl2onnx made of it") from problem
