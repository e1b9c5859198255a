"""An ensemble as one ONNX `TreeEnsemble` in doubles, whose thresholds stand in the columns' own values.

A threshold of the encoded table is pulled back through the version's own steps: what is kept is the largest number
whose encoding still goes left, found by bisection over the bits of a double. So scaling, rounding to 32 bits and the
way in which the version itself computes them are in the threshold, exactly, and a row of numbers needs no encoding.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenure.serving.forms.columns import Floats
from tenure.serving.forms.making.encoding import LARGEST, SPREAD, Column, Encoding
from tenure.serving.forms.making.ensembles import LEAF, Ensemble, Tree, nodes
from tenure.serving.forms.making.linears import table
from tenure.serving.forms.making.subject import CannotCompile
from tenure.serving.forms.program import Number, Program

LEFT_OF_OR_AT = 0
MOST_NODES = 2_000_000


class Thresholds:
    """Where each node looks in a row of the form, and at what threshold."""

    def __init__(self, encoding: Encoding, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self.encoding = encoding
        self.constant: dict[int, float] = {}
        self.position: dict[int, int] = {}
        self.numbers = [column for column in encoding.columns if column.keys is None]
        self.tables = [column for column in encoding.columns if column.keys is not None and column.features]
        self.unused = [column for column in encoding.columns if column.keys is not None and not column.features]
        self._of_null: dict[int, float] = {}
        self._place()
        self._raw = self._pulled_back()
        self.at: dict[str, list[float]] = defaultdict(list)
        for (feature, _), raw in self._raw.items():
            self.at[self._column[feature].name].append(raw)

    def look(self, tree: Tree, node: int) -> tuple[int, float, bool] | bool:
        """Position, threshold and whether a missing value goes left; or where every row goes (True: left)."""
        feature, threshold = tree.feature[node], tree.threshold[node]
        if feature in self.constant:
            return self._goes_left(self.constant[feature], threshold, tree.missing_left[node])
        raw = self._raw.get((feature, threshold))
        if raw is None:  # of a category: the encoded number itself is in the row
            below = float(np.nextafter(threshold, -np.inf)) if self._ensemble.strict else threshold
            return self.position[feature], below, tree.missing_left[node]
        missing = tree.missing_left[node]
        if feature in self._of_null:
            missing = self._goes_left(self._of_null[feature], threshold, missing)
        return self.position[feature], raw, missing

    def _goes_left(self, value: float, threshold: float, missing_left: bool) -> bool:
        if np.isnan(value):
            return missing_left
        held = float(np.float32(value)) if self._ensemble.single else value
        return held < threshold if self._ensemble.strict else held <= threshold

    def _place(self) -> None:
        owned = {feature for column in self.encoding.columns for feature in column.features}
        for feature, value in enumerate(self.encoding.constant.tolist()):
            if feature not in owned:
                self.constant[feature] = value
        self._column: dict[int, Column] = {}
        for place, column in enumerate(self.numbers):
            of_null = self.encoding.varied(column.name, [None])[0] if column.null else None
            for feature in column.features:
                self.position[feature] = place
                self._column[feature] = column
                if of_null is not None:
                    self._of_null[feature] = float(of_null[feature])
        place = len(self.numbers)
        for column in self.tables:
            for feature in column.features:
                self.position[feature] = place
                place += 1
        self.width = place

    def _pulled_back(self) -> dict[tuple[int, float], float]:
        """For each feature of a number and each of its thresholds, the largest number that goes left."""
        found: dict[int, set[float]] = defaultdict(set)
        for tree in self._ensemble.trees:
            for node in nodes(tree):
                if tree.feature[node] in self._column:
                    found[tree.feature[node]].add(tree.threshold[node])
        features = sorted(found)
        subject = self.encoding.subject
        if not subject.steps and not self._ensemble.single and "float" not in subject.types.values():
            strict = self._ensemble.strict
            return {
                (feature, threshold): float(np.nextafter(threshold, -np.inf)) if strict else threshold
                for feature in features
                for threshold in found[feature]
            }
        for feature in features:
            self._check_rising(feature)
        asked = {feature: np.array(sorted(found[feature])) for feature in features}
        raw = self._bisected(asked)
        return {
            (feature, threshold): value
            for feature in features
            for threshold, value in zip(asked[feature].tolist(), raw[feature].tolist(), strict=True)
        }

    def _check_rising(self, feature: int) -> None:
        column = self._column[feature]
        spread = [value for value in sorted(SPREAD) if column.low <= value <= column.high]
        made = self._made({column.name: np.array(spread)}, len(spread))[:, feature]
        if np.any(np.diff(made) < 0):
            raise CannotCompile(f"the column {column.name!r} falls where it should rise")

    def _bisected(self, asked: dict[int, Floats]) -> dict[int, Floats]:
        """All columns at once, one feature of each at a time."""
        raw: dict[int, Floats] = {}
        waiting = {column.name: [one for one in column.features if one in asked] for column in self.numbers}
        while any(waiting.values()):
            turn = {name: features.pop() for name, features in waiting.items() if features}
            raw |= self._bisected_together({feature: asked[feature] for feature in turn.values()})
        return raw

    def _bisected_together(self, asked: dict[int, Floats]) -> dict[int, Floats]:
        count = max(map(len, asked.values()))
        wanted = {feature: np.resize(values, count) for feature, values in asked.items()}
        ends = {feature: self._ends(self._column[feature], count) for feature in asked}
        low = {feature: ends[feature][0] for feature in asked}
        high = {feature: ends[feature][1] for feature in asked}
        none = {feature: ~at for feature, at in self._left(low, wanted).items()}
        every = self._left(high, wanted)
        for _ in range(65):
            middle = {feature: (low[feature] >> 1) + (high[feature] >> 1) + (low[feature] & high[feature] & 1)
                      for feature in asked}  # fmt: skip
            left = self._left(middle, wanted)
            low = {feature: np.where(left[feature], middle[feature], low[feature]) for feature in asked}
            high = {feature: np.where(left[feature], high[feature], middle[feature]) for feature in asked}
        found = {}
        for feature, values in asked.items():
            column = self._column[feature]
            raw = np.where(every[feature], _number(ends[feature][1]), _number(low[feature]))
            if column.high > LARGEST:
                raw = np.where(every[feature], self._beyond(feature, wanted[feature]), raw)
            found[feature] = np.where(none[feature], -np.inf, raw)[: len(values)]
        return found

    def _beyond(self, feature: int, wanted: Floats) -> Floats:
        """Infinity where it goes left too, else the largest number."""
        column = self._column[feature]
        made = self._held(self._made({column.name: np.full(1, np.inf)}, 1)[0, feature])
        left = made < wanted if self._ensemble.strict else made <= wanted
        return np.where(left, np.inf, LARGEST)

    @staticmethod
    def _ends(column: Column, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        low, high = max(column.low, -LARGEST), min(column.high, LARGEST)
        return np.full(count, _order(np.float64(low))), np.full(count, _order(np.float64(high)))

    def _left(self, order: dict[int, NDArray[np.int64]], wanted: dict[int, Floats]) -> dict[int, NDArray[np.bool_]]:
        given = {self._column[feature].name: _number(values) for feature, values in order.items()}
        made = self._made(given, len(next(iter(wanted.values()))))
        strict = self._ensemble.strict
        held = {feature: self._held(made[:, feature]) for feature in order}
        return {
            feature: held[feature] < wanted[feature] if strict else held[feature] <= wanted[feature]
            for feature in order
        }

    def _held(self, values: Any) -> Any:
        if not self._ensemble.single:
            return values
        with np.errstate(over="ignore"):
            return np.asarray(values).astype(np.float32).astype(np.float64)

    def _made(self, given: dict[str, Floats], count: int) -> Floats:
        rows = {name: [value] * count for name, value in self.encoding.base.items()}
        rows |= {name: values.tolist() for name, values in given.items()}
        with np.errstate(all="ignore"):
            return self.encoding.subject.encoded(rows, whole_as_double=True)


def program(thresholds: Thresholds, ensemble: Ensemble) -> Program:
    """How a form's rows are made, and what is made of its sums."""
    encoding = thresholds.encoding

    def held(rows: Floats, column: Column) -> Floats:
        made = rows[:, column.features]
        return made.astype(np.float32).astype(np.float64) if ensemble.single else made

    tables = [
        table(encoding, column, lambda rows, column=column: held(rows, column))
        for column in (*thresholds.tables, *thresholds.unused)
    ]
    numbers = [
        Number(name=column.name, low=column.low, high=column.high, null=[] if column.null else None)
        for column in thresholds.numbers
    ]
    return Program(kind="trees", numbers=numbers, tables=tables, finish=ensemble.finish)


def graph(thresholds: Thresholds, ensemble: Ensemble) -> bytes:
    """The ONNX model: a matrix of doubles `x` in, one sum for each score out, `y`."""
    from onnx import TensorProto, helper, numpy_helper

    made = _Nodes(thresholds)
    for tree in ensemble.trees:
        made.add(tree)
    doubles = {name: numpy_helper.from_array(np.array(values, dtype=np.float64))
               for name, values in (("nodes_splits", made.split), ("leaf_weights", made.weight))}  # fmt: skip
    node = helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=ensemble.targets,
        aggregate_function=1,
        post_transform=0,
        tree_roots=made.roots,
        nodes_featureids=made.feature,
        nodes_modes=numpy_helper.from_array(np.full(len(made.feature), LEFT_OF_OR_AT, dtype=np.uint8)),
        nodes_truenodeids=made.left,
        nodes_trueleafs=made.left_is_leaf,
        nodes_falsenodeids=made.right,
        nodes_falseleafs=made.right_is_leaf,
        nodes_missing_value_tracks_true=made.missing_left,
        leaf_targetids=made.target,
        **doubles,
    )
    given = helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, max(1, thresholds.width)])
    told = helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, ensemble.targets])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)]
    model = helper.make_model(helper.make_graph([node], "trees", [given], [told]), opset_imports=opsets, ir_version=10)
    written: bytes = model.SerializeToString()
    return written


class _Nodes:
    """ONNX's arrays of nodes and leaves, filled tree by tree. Nodes at which every row goes one way are left out."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self.roots: list[int] = []
        self.feature: list[int] = []
        self.split: list[float] = []
        self.left: list[int] = []
        self.right: list[int] = []
        self.left_is_leaf: list[int] = []
        self.right_is_leaf: list[int] = []
        self.missing_left: list[int] = []
        self.target: list[int] = []
        self.weight: list[float] = []

    def add(self, tree: Tree) -> None:
        self.roots.append(len(self.feature))
        root, is_leaf = self._add(tree, 0)
        if is_leaf:  # ONNX wants a node: one whose both sides are this leaf
            self._node(0, np.inf, True)
            self.left[-1] = self.right[-1] = root
            self.left_is_leaf[-1] = self.right_is_leaf[-1] = 1
        if len(self.feature) > MOST_NODES:
            raise CannotCompile(f"its trees have more than {MOST_NODES:,} nodes")

    def _add(self, tree: Tree, node: int) -> tuple[int, int]:
        """A node with all below it: its number, and whether it is a leaf. Depth is bounded by the tree's own."""
        first: tuple[int, int] | None = None
        stack = [(node, -1, True)]
        while stack:
            old, parent, on_left = stack.pop()
            while tree.left[old] != LEAF:
                looked = self._thresholds.look(tree, old)
                if not isinstance(looked, bool):
                    break
                old = tree.left[old] if looked else tree.right[old]
            if tree.left[old] == LEAF:
                made = len(self.weight), 1
                self.target.append(tree.target)
                self.weight.append(tree.value[old])
            else:
                assert not isinstance(looked, bool)
                made = len(self.feature), 0
                self._node(*looked)
                stack += [(tree.right[old], made[0], False), (tree.left[old], made[0], True)]
            if parent < 0:
                first = made
            elif on_left:
                self.left[parent], self.left_is_leaf[parent] = made
            else:
                self.right[parent], self.right_is_leaf[parent] = made
        assert first is not None
        return first

    def _node(self, feature: int, split: float, missing_left: bool) -> None:
        self.feature.append(feature)
        self.split.append(split)
        self.missing_left.append(int(missing_left))
        for place in (self.left, self.right, self.left_is_leaf, self.right_is_leaf):
            place.append(0)


LOWEST = np.int64(np.iinfo(np.int64).min)


def _order(value: np.float64) -> np.int64:
    """A double's place among all doubles, as a whole number."""
    bits = value.view(np.int64)
    return bits if bits >= 0 else LOWEST - bits


def _number(order: NDArray[np.int64]) -> Floats:
    return np.where(order >= 0, order, LOWEST - order).astype(np.int64).view(np.float64)
