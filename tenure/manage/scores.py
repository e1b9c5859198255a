"""Which versions take another model's score as a feature: edges out of what the models' files declare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from tenure.build import manifests
from tenure.records.lineage import Edge, Node
from tenure.records.model_files import ModelFile
from tenure.store.lineage import Answering, Wearer

MARK = "model:"
HOW = "gives its score to"


def sources_of(file: ModelFile, feature: str) -> set[str]:
    """Everything that a feature is made from: columns, and `model:<name>`, through all columns in between.

    >>> from tenure.records.model_files import Feature
    >>> risk, high = Feature(derived_from=["model:fraud"]), Feature(derived_from=["risk"])
    >>> sorted(sources_of(ModelFile(model="m", purpose="p", owner="o", features={"risk": risk, "high": high}), "high"))
    ['model:fraud', 'risk']
    """
    found: set[str] = set()
    waiting = [feature]
    while waiting:
        declared = file.features.get(waiting.pop())
        for source in declared.derived_from if declared else []:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found


def scores_in(file: ModelFile) -> dict[str, set[str]]:
    """The models whose scores go into a model, each with the features that they are in."""
    found: dict[str, set[str]] = {}
    for feature in file.features:
        for source in sources_of(file, feature):
            if source.startswith(MARK):
                found.setdefault(source.removeprefix(MARK), set()).add(feature)
    return found


def uses(signature: str | None, features: Iterable[str]) -> list[str]:
    """Those features that are inputs of a version. One without a signature may use each, and so counts as using it."""
    columns = _columns(signature)
    return sorted(feature for feature in features if not columns or feature in columns)


def edges(
    files: Sequence[ModelFile], wearers: Sequence[Wearer], answering: Sequence[Answering]
) -> tuple[list[Edge], list[Edge]]:
    """Edges from models, and from versions, to every version that takes their score.

    A version of the other model is a source when it answered at any time since the taker was registered; the edge has
    ended when it answers no longer. A version does not come from itself.
    """
    of_model: dict[str, list[Wearer]] = {}
    for wearer in wearers:
        of_model.setdefault(wearer.model, []).append(wearer)
    released: dict[str, list[Answering]] = {}
    for one in answering:
        released.setdefault(one.model, []).append(one)
    from_models: list[Edge] = []
    from_versions: list[Edge] = []
    for file in files:
        for model, features in scores_in(file).items():
            for wearer in of_model.get(file.model, []):
                used = uses(wearer.signature, features)
                if not used:
                    continue
                target, detail = Node(kind="version", id=f"{wearer.model}/{wearer.version}"), ", ".join(used)
                from_models.append(Edge(source=Node(kind="model", id=model), target=target, how=HOW, detail=detail))
                for release in released.get(model, []):
                    source = Node(kind="version", id=f"{model}/{release.version}")
                    ended = release.until_at is not None
                    if source != target and (release.until_at is None or release.until_at > wearer.registered_at):
                        from_versions.append(Edge(source=source, target=target, how=HOW, detail=detail, ended=ended))
    return from_models, from_versions


@lru_cache(maxsize=256)
def _columns(signature: str | None) -> frozenset[str]:
    return frozenset(column.name for column in manifests.inputs(signature))
