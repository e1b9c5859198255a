"""What breaks if this goes: everything in use that depends on a node, a feature, a source or a package, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion

from tenure.build import model_versions, provenance
from tenure.errors import InvalidInput, NotFound
from tenure.manage import lineage, scores, walks
from tenure.manage.lineage_nodes import describe, model_of, node_of
from tenure.records.lineage import Affected, Edge, Impact, Node, NodeInfo
from tenure.store import changes, lineage_nodes, model_files, releases
from tenure.store import lineage as stored
from tenure.store.database import Transaction
from tenure.store.retraining_runs import ENDED

KINDS = ("dataset", "run", "logged_model", "model", "version", "column", "source", "package")
OUT_OF_USE = ("retired", "rejected")
DEPTH, COUNT = 40, 20_000
_ORDER = {
    kind: at for at, kind in enumerate(("endpoint", "release", "version", "model", "retraining", "change", "alias"))
}
Begun = dict[Node, list[str]]


class Start(NamedTuple):
    """Where a walk begins: nodes, each with why; those of `using` are hit themselves, others are what goes."""

    about: str
    begun: Begun
    using: bool = False
    unknown: tuple[str, ...] = ()


def of(tx: Transaction, kind: str, identifier: str) -> Impact:
    """What would be hit if something went.

    `kind` is that of a node, or `column` or `source` of the models' files, or `package` of an environment, such as
    `numpy` or `numpy<2.1`. Raises InvalidInput for another kind, NotFound for a node that is not there.
    """
    if kind not in KINDS:
        raise InvalidInput(f"The kind must be one of {', '.join(KINDS)}. Got {kind[:100]!r}.", where="kind")
    if not identifier.strip():
        raise InvalidInput(f"The id of a {kind} must not be empty.", where="id")
    if kind in ("column", "source"):
        return _walked(tx, _by_feature(tx, kind, identifier))
    if kind == "package":
        return _walked(tx, _by_package(tx, identifier))
    return of_node(tx, node_of(kind, identifier))


def of_node(tx: Transaction, node: Node) -> Impact:
    """What would be hit if a node went. Raises NotFound."""
    found = describe(tx, [node])[0]
    if found.gone:
        raise NotFound(f"There is no {node.kind.replace('_', ' ')} {node.id[:200]!r}, so nothing depends on it.")
    kind = node.kind.replace("_", " ")
    return _walked(tx, Start(f"{kind} {found.name}", {node: [f"{kind} {found.name}"]}))


def decisions_needed(impact: Impact) -> list[Affected]:
    """What must be decided about before a version goes: everything that depends on it with no other version between.

    What is further away depends on one of these, and is decided about there.
    """
    return [one for one in impact.affected if one.direct and one.kind in ("endpoint", "version", "retraining")]


def name_of(dependent: Affected) -> str:
    """How a decision names a dependent, such as `endpoint:late`."""
    return f"{dependent.kind}:{dependent.id}"


def _walked(tx: Transaction, start: Start) -> Impact:
    reader = lineage.Reader(tx)

    def holding(nodes: Sequence[Node], down: bool) -> walks.Reached:
        found = reader(nodes, down)
        return walks.Reached([edge for edge in found.edges if _carries(edge)], found.more)

    walked = walks.walk(start.begun, holding, down=True, depth=DEPTH, limit=COUNT)
    infos = {info.node: info for info in describe(tx, walked.nodes)}
    ways = Ways(start.begun, walked.edges, infos)
    affected = [
        _hit(info, ways) for info in infos.values() if _in_use(info) and (start.using or info.node not in start.begun)
    ]
    versions = [
        node for node, info in infos.items() if node.kind == "version" and (_in_use(info) or node in start.begun)
    ]
    names = {node.id for node in start.begun if node.kind == "model"} | {model_of(node) for node in versions}
    affected += [
        *_takers(tx, versions, start.begun, ways),
        *_asked(tx, names, versions, ways),
        *_named(tx, names, versions, ways),
    ]
    affected.sort(key=lambda one: (_ORDER[one.kind], not one.direct, one.id))
    return Impact(about=start.about, affected=affected, unknown=list(start.unknown), cut=bool(walked.cut))


def _carries(edge: Edge) -> bool:
    """Whether what happens to the source happens to the target: a refit on newer data stands on its own feet."""
    return not edge.ended and edge.source.kind != "retraining"


def _in_use(info: NodeInfo) -> bool:
    if info.gone or info.ended:
        return False
    if info.node.kind == "retraining":
        return info.state not in ENDED
    return info.node.kind in ("endpoint", "release") or (info.node.kind == "version" and info.state not in OUT_OF_USE)


class Ways:
    """The shortest way to every node that a walk came to, in words."""

    def __init__(self, begun: Begun, edges: Iterable[Edge], infos: dict[Node, NodeInfo]) -> None:
        self._begun, self._infos = begun, infos
        self._before: dict[Node, Edge] = {}
        out: dict[Node, list[Edge]] = {}
        for edge in edges:
            out.setdefault(edge.source, []).append(edge)
        waiting = list(begun)
        for node in waiting:
            for edge in out.get(node, []):
                if edge.target not in self._before and edge.target not in begun:
                    self._before[edge.target] = edge
                    waiting.append(edge.target)

    def why(self, node: Node) -> list[str]:
        """From what goes to this node, a step a line."""
        steps: list[str] = []
        while node not in self._begun:
            edge = self._before[node]
            told = f" ({edge.detail})" if edge.detail and node.kind != "release" else ""
            steps.append(f"{edge.how}{told} {self.named(node)}")
            node = edge.source
        return [*self._begun[node], *reversed(steps)]

    def is_direct(self, node: Node) -> bool:
        """Whether no version stands between what goes and this node."""
        while node not in self._begun:
            node = self._before[node].source
            if node.kind == "version" and node not in self._begun:
                return False
        return True

    def named(self, node: Node) -> str:
        info = self._infos[node]
        return info.name if node.kind == "release" else f"{node.kind.replace('_', ' ')} {info.name}"


def _hit(info: NodeInfo, ways: Ways) -> Affected:
    node = info.node
    name = f"{info.name} at {info.owner}" if node.kind == "release" else info.name
    kind = node.kind
    assert kind in ("endpoint", "release", "version", "retraining")
    return Affected(kind=kind, id=node.id, name=name, owner=info.owner, direct=ways.is_direct(node), why=ways.why(node))


def _takers(tx: Transaction, versions: Sequence[Node], begun: Begun, ways: Ways) -> list[Affected]:
    """Models whose file declares a feature that is the score of what goes."""
    serving = {
        Node(kind="version", id=f"{one.model}/{one.version}") for one in releases.open_ones(tx) if one.role != "shadow"
    }
    sources = {node.id: node for node in begun if node.kind == "model"}
    sources |= {model_of(node): node for node in reversed(versions) if node in serving}
    return [
        Affected(
            kind="model",
            id=file.model,
            name=file.model,
            owner="",
            direct=sources[model] in begun,
            why=[*ways.why(sources[model]), f"its score is declared as {', '.join(sorted(features))} of {file.model}"],
        )
        for file in stored.files_with_scores(tx)
        for model, features in scores.scores_in(file).items()
        if model in sources and file.model != model
    ]


def _asked(tx: Transaction, names: set[str], versions: Sequence[Node], ways: Ways) -> list[Affected]:
    """Open change requests about what goes and what is hit."""
    there = set(versions)
    found = []
    for model in sorted(names):
        for stored_change in changes.search(tx, state="open", model=model):
            change = stored_change.change
            node = Node(kind="version", id=f"{change.model}/{change.version}")
            if node in there:
                name = f"{change.kind} {change.model} {change.version}"
                why = [*ways.why(node), f"asked by {change.opened_by}"]
                found.append(
                    Affected(
                        kind="change", id=change.change_id, name=name, owner="", direct=ways.is_direct(node), why=why
                    )
                )
    return found


def _named(tx: Transaction, names: set[str], versions: Sequence[Node], ways: Ways) -> list[Affected]:
    """Aliases of what goes and of what is hit."""
    there = set(versions)
    found = []
    for model, alias, version in lineage_nodes.aliases_of(tx, sorted(names)):
        node = Node(kind="version", id=f"{model}/{version}")
        if node in there:
            name = f"{model}@{alias}"
            why = [*ways.why(node), f"is the alias {alias}"]
            found.append(Affected(kind="alias", id=name, name=name, owner="", direct=ways.is_direct(node), why=why))
    return found


def _by_feature(tx: Transaction, kind: str, wanted: str) -> Start:
    """Versions with a feature of this name or source, or one that is derived from such a feature."""
    begun: Begun = {}
    for applied in model_files.all_current(tx):
        file = applied.file
        met = {
            name
            for name, feature in file.features.items()
            if (name == wanted if kind == "column" else feature.source == wanted)
        }
        met |= {wanted} if kind == "column" else set()
        using = [name for name in file.features if name in met or met & scores.sources_of(file, name)]
        for wearer in stored.wearers(tx, [file.model]) if using else []:
            used = scores.uses(wearer.signature, using)
            if used:
                node = Node(kind="version", id=f"{wearer.model}/{wearer.version}")
                begun[node] = [
                    f"{kind} {wanted}",
                    f"used as {', '.join(used)} by version {wearer.model} {wearer.version}",
                ]
    return Start(f"{kind} {wanted}", _only_in_use(tx, begun), using=True)


def _by_package(tx: Transaction, wanted: str) -> Start:
    """Versions in service that tell of being made with a package, in such a version when one is asked for."""
    name, accepts = _read_package(wanted)
    begun: Begun = {}
    unknown = []
    for model, version in dict.fromkeys((one.model, one.version) for one in releases.open_ones(tx)):
        packages = provenance.of_version(tx, model_versions.get(tx, model, version)).environment.packages
        if packages is None:
            unknown.append(f"{model}/{version}")
        for package in packages or []:
            if _plain(package.name) == name and accepts(package.version):
                node = Node(kind="version", id=f"{model}/{version}")
                begun[node] = [f"package {package.name} {package.version}", f"made version {model} {version}"]
    return Start(f"package {wanted}", begun, using=True, unknown=tuple(unknown))


def _read_package(wanted: str) -> tuple[str, Callable[[str], bool]]:
    """A package's name in its plain form, and which of its versions are meant; one that cannot be read is meant."""
    at = next((index for index, letter in enumerate(wanted) if letter in "<>=!~ "), len(wanted))
    try:
        limits = SpecifierSet(wanted[at:].strip(), prereleases=True)
    except InvalidSpecifier:
        raise InvalidInput(
            f"A package must read numpy, numpy<2.1 or numpy>=2,<2.1. Got {wanted[:100]!r}.", where="id"
        ) from None

    def accepts(version: str) -> bool:
        try:
            return limits.contains(version)
        except InvalidVersion:
            return True

    return _plain(wanted[:at]), accepts


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _only_in_use(tx: Transaction, begun: Begun) -> Begun:
    return {info.node: begun[info.node] for info in describe(tx, list(begun)) if _in_use(info)}
