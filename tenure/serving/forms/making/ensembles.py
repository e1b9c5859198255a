"""Trees as plain arrays, read out of whatever library grew them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tenure.serving.forms.making.subject import CannotCompile, Subject
from tenure.serving.forms.program import Finish

LEAF = -1
IDENTITY = ("regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg")
GROWING = ("poisson", "gamma", "tweedie")


class Tree(NamedTuple):
    """Nodes by number, the root first. `left[i]` is LEAF for a leaf, whose `value` counts for the score `target`."""

    feature: list[int]
    threshold: list[float]
    left: list[int]
    right: list[int]
    missing_left: list[bool]
    value: list[float]
    target: int


class Ensemble(NamedTuple):
    """`single`: numbers are rounded to 32 bits before they are compared; `strict`: left is below, not at, a threshold.

    `tolerance`: what sums in another order or in 32 bits may differ by.
    """

    trees: list[Tree]
    targets: int
    finish: Finish
    single: bool
    strict: bool = False
    tolerance: float = 1e-9


def read(subject: Subject) -> Ensemble:
    """The trees of a version's last estimator. Raises CannotCompile for what is none of the kinds that are read."""
    reader = READERS.get(subject.name)
    if reader is None:
        module = type(subject.estimator).__module__.partition(".")[0]
        reader = BOOSTERS.get((module, subject.name))
    if reader is None:
        raise CannotCompile(f"{subject.name} is no ensemble of trees that is read")
    return reader(subject)


def is_trees(subject: Subject) -> bool:
    return subject.name in READERS or (type(subject.estimator).__module__.partition(".")[0], subject.name) in BOOSTERS


# --- scikit-learn ---


def _forest(subject: Subject) -> Ensemble:
    model = subject.estimator
    grown = model.estimators_ if hasattr(model, "estimators_") else [model]
    if model.n_outputs_ != 1:
        raise CannotCompile("it has several outputs")
    if not hasattr(model, "classes_"):
        finish = Finish(says="value", divisor=float(len(grown)))
        return Ensemble([_of_sklearn(one.tree_, 0, 0, 1.0) for one in grown], 1, finish, single=True)
    labels, divisor = model.classes_.tolist(), float(len(grown))
    if subject.function == "predict_proba" and len(labels) == 2:
        finish = Finish(says="two", divisor=divisor)
        return Ensemble([_of_sklearn(one.tree_, 1, 0, 1.0) for one in grown], 1, finish, single=True)
    # Of two equal shares the first label is told, so both are summed as the forest itself sums them.
    trees = [_of_sklearn(one.tree_, k, k, 1.0) for k in range(len(labels)) for one in grown]
    says = Finish(says="label", divisor=divisor, labels=labels)
    finish = says if subject.function == "predict" else Finish(says="values", divisor=divisor)
    return Ensemble(trees, len(labels), finish, single=True)


def _of_sklearn(tree: Any, column: int, target: int, rate: float) -> Tree:
    return Tree(
        tree.feature.tolist(),
        tree.threshold.tolist(),
        tree.children_left.tolist(),
        tree.children_right.tolist(),
        (tree.missing_go_to_left != 0).tolist(),
        (tree.value[:, 0, column] * rate).tolist(),
        target,
    )


def _boosted(subject: Subject) -> Ensemble:
    model = subject.estimator
    if model.init_ != "zero" and type(model.init_).__name__ not in ("DummyClassifier", "DummyRegressor"):
        raise CannotCompile("it begins with the answers of another estimator")
    rows = model.estimators_
    trees = [_of_sklearn(one.tree_, 0, k, model.learning_rate) for stage in rows for k, one in enumerate(stage)]
    begun = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0].tolist()
    if not hasattr(model, "classes_"):
        return Ensemble(trees, 1, Finish(says="value", base=begun), single=True)
    labels, targets = model.classes_.tolist(), rows.shape[1]
    if subject.function == "predict":
        finish = Finish(says="label", base=begun, labels=labels, inclusive=True)
    elif targets == 1:
        twice = model.loss == "exponential"
        finish = Finish(
            says="two", link="logistic", base=[one * (1 + twice) for one in begun], divisor=0.5 if twice else 1
        )
    else:
        finish = Finish(says="values", link="softmax", base=begun)
    return Ensemble(trees, targets, finish, single=True)


def _histogram(subject: Subject) -> Ensemble:
    model = subject.estimator
    if model.is_categorical_ is not None and any(model.is_categorical_):
        raise CannotCompile("its trees split on sets of categories")
    trees = [
        Tree(
            nodes["feature_idx"].tolist(),
            nodes["num_threshold"].tolist(),
            np.where(nodes["is_leaf"], LEAF, nodes["left"].astype(np.int64)).tolist(),
            nodes["right"].astype(np.int64).tolist(),
            (nodes["missing_go_to_left"] != 0).tolist(),
            nodes["value"].tolist(),
            target,
        )
        for stage in model._predictors
        for target, nodes in enumerate(one.nodes for one in stage)
    ]
    begun = np.ravel(model._baseline_prediction).tolist()
    targets = len(begun)
    if not hasattr(model, "classes_"):
        grows = model.loss in ("poisson", "gamma")
        return Ensemble(trees, 1, Finish(says="value", base=begun, link="exp" if grows else "identity"), single=False)
    if subject.function == "predict":
        finish = Finish(says="label", base=begun, labels=model.classes_.tolist())
    elif targets == 1:
        finish = Finish(says="two", link="logistic", base=begun)
    else:
        finish = Finish(says="values", link="softmax", base=begun)
    return Ensemble(trees, targets, finish, single=False)


# --- LightGBM ---


def _lightgbm(subject: Subject) -> Ensemble:
    model = subject.estimator
    booster = getattr(model, "booster_", model)
    told = booster.dump_model()
    targets = told["num_tree_per_iteration"]
    trees = [_of_lightgbm(one["tree_structure"], number % targets) for number, one in enumerate(told["tree_info"])]
    kind, *options = told.get("objective", "regression").split()
    divisor = max(1.0, len(trees) / targets) if told.get("average_output") else 1.0
    given = dict(option.partition(":")[::2] for option in options)
    if kind in ("binary", "cross_entropy"):
        divisor /= float(given.get("sigmoid") or 1.0)
        says, link = ("value", "logistic")
    elif kind in ("multiclass", "softmax"):
        says, link = ("values", "softmax")
    elif (kind in IDENTITY and "sqrt" not in options) or kind in GROWING:
        says, link = ("value", "exp" if kind in GROWING else "identity")
    else:
        raise CannotCompile(f"LightGBM's objective {kind!r} is none that is read")
    finish = Finish(says=says, link=link, divisor=divisor)  # type: ignore[arg-type]
    return Ensemble(trees, targets, _of_classifier(subject, finish), single=False)


def _of_lightgbm(root: dict[str, Any], target: int) -> Tree:
    tree = Tree([], [], [], [], [], [], target)

    def add(node: dict[str, Any]) -> int:
        number = len(tree.feature)
        if "leaf_const" in node:
            raise CannotCompile("its leaves hold linear models")
        inner = "split_feature" in node
        if inner and (node["decision_type"] != "<=" or node["missing_type"] == "Zero"):
            raise CannotCompile("its trees split on sets of categories, or take 0 for missing")
        tree.feature.append(node["split_feature"] if inner else 0)
        tree.threshold.append(float(node["threshold"]) if inner else 0.0)
        tree.value.append(0.0 if inner else float(node["leaf_value"]))
        as_zero = inner and node["missing_type"] == "None"
        tree.missing_left.append(inner and (float(node["threshold"]) >= 0.0 if as_zero else node["default_left"]))
        tree.left.append(LEAF)
        tree.right.append(LEAF)
        if inner:
            tree.left[number] = add(node["left_child"])
            tree.right[number] = add(node["right_child"])
        return number

    add(root)
    return tree


# --- XGBoost ---


def _xgboost(subject: Subject) -> Ensemble:
    model = subject.estimator
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    grown = learner["gradient_booster"]
    if grown["name"] != "gbtree":
        raise CannotCompile(f"XGBoost's {grown['name']} is none that is read")
    shape = learner["learner_model_param"]
    objective = learner["objective"]["name"]
    targets = max(1, int(shape["num_class"]))
    begun = np.atleast_1d(np.array(json.loads(shape["base_score"]), dtype=np.float64))
    base = [float(one) for one in np.broadcast_to(begun, (targets,))]
    told = grown["model"]
    best = getattr(model, "best_iteration", None) if _stopped_early(model) else None
    count = told["iteration_indptr"][best + 1] if best is not None else len(told["trees"])
    trees = [_of_xgboost(told["trees"][number], told["tree_info"][number]) for number in range(count)]
    finish = _of_classifier(subject, _xgboost_finish(objective, base))
    return Ensemble(trees, targets, finish, single=True, strict=True, tolerance=1e-6)


def _stopped_early(model: Any) -> bool:
    try:
        return hasattr(model, "get_booster") and model.best_iteration is not None
    except AttributeError:
        return False


def _xgboost_finish(objective: str, base: list[float]) -> Finish:
    if objective in ("binary:logistic", "reg:logistic"):
        return Finish(says="value", link="logistic", base=[math.log(one / (1 - one)) for one in base], single=True)
    if objective in ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror", "rank:ndcg"):
        return Finish(says="value", base=base, single=True)
    if objective in ("count:poisson", "reg:gamma", "reg:tweedie"):
        return Finish(says="value", link="exp", base=[math.log(one) for one in base], single=True)
    if objective == "multi:softprob":
        return Finish(says="values", link="softmax", base=base, single=True)
    raise CannotCompile(f"XGBoost's objective {objective!r} is none that is read")


def _of_xgboost(told: dict[str, Any], target: int) -> Tree:
    if any(told["split_type"]):
        raise CannotCompile("its trees split on sets of categories")
    if int(told["tree_param"].get("size_leaf_vector") or 1) > 1:
        raise CannotCompile("its leaves hold several values")
    conditions = np.array(told["split_conditions"], dtype=np.float32).astype(np.float64).tolist()
    return Tree(
        told["split_indices"],
        conditions,
        told["left_children"],
        told["right_children"],
        [bool(one) for one in told["default_left"]],
        conditions,
        target,
    )


def _of_classifier(subject: Subject, finish: Finish) -> Finish:
    """What scikit-learn's face of a booster makes of the booster's own answer."""
    labels = getattr(subject.estimator, "classes_", None)
    if labels is None:
        return finish
    given = {"link": finish.link, "base": finish.base, "divisor": finish.divisor, "single": finish.single}
    if subject.function == "predict":
        return Finish(says="label", labels=np.asarray(labels).tolist(), cut=0.5, **given)  # type: ignore[arg-type]
    return Finish(says="two" if finish.says == "value" else "values", **given)  # type: ignore[arg-type]


READERS: dict[str, Callable[[Subject], Ensemble]] = {
    **dict.fromkeys(
        (
            "DecisionTreeClassifier",
            "DecisionTreeRegressor",
            "ExtraTreeClassifier",
            "ExtraTreeRegressor",
            "RandomForestClassifier",
            "RandomForestRegressor",
            "ExtraTreesClassifier",
            "ExtraTreesRegressor",
        ),
        _forest,
    ),
    **dict.fromkeys(("GradientBoostingClassifier", "GradientBoostingRegressor"), _boosted),
    **dict.fromkeys(("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"), _histogram),
    **dict.fromkeys(("LGBMClassifier", "LGBMRegressor", "LGBMRanker"), _lightgbm),
    **dict.fromkeys(("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker"), _xgboost),
}
BOOSTERS: dict[tuple[str, str], Callable[[Subject], Ensemble]] = {
    ("lightgbm", "Booster"): _lightgbm,
    ("xgboost", "Booster"): _xgboost,
}


def nodes(tree: Tree) -> Iterator[int]:
    """The numbers of a tree's inner nodes."""
    return (node for node, left in enumerate(tree.left) if left != LEAF)
