"""A server with something of every noun to search for, and the same as plain rows for the oracle."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tenure.records.base import Instant
from tests.api.mlflow import oracle
from tests.api.mlflow.conftest import MLMODEL, Answer, Wire
from tests.api.mlflow.oracle import Noun, Row

KEYS = ("a", "b c", "dotted.key", "B-1")
TEXTS = ("forest", "Forest", "FOREST", "line_r", "50%", "it's", "[x]*?", "", "Zoë", "zoË", "a b", "é", "\\d", "10", "9")
NUMBERS = (0.0, -0.0, 0.5, -1.0, 2.0, 1e300, -1e300, math.nan, math.inf, -math.inf)
TIMES = (0, 1, 5, 1_700_000_000_000, 1_700_000_000_001)
STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
JSON = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@dataclass
class World:
    wire: Wire
    clock: Clock
    rows: dict[str, list[Row]] = field(default_factory=lambda: {noun: [] for noun in NOUNS})


@dataclass
class Clock:
    """Stands still until it is moved, so that several things have the same time."""

    ms: int = 1_700_000_000_000

    def __call__(self) -> Instant:
        return Instant(self.ms * 1000)


def fill(wire: Wire, clock: Clock) -> World:
    world, draw = World(wire, clock), random.Random(11)
    places = ["0", *(_experiment(world, draw, number) for number in range(14))]
    _default_experiment(world)
    runs = [_run(world, draw, draw.choice(places[:3]), number) for number in range(32)]
    logging = wire.run(places[9])  # in an experiment that nobody searches runs of
    models = [_logged_model(world, draw, draw.choice(places[:3]), draw.choice(runs), logging) for _ in range(16)]
    for number in range(12):
        _registered_model(world, draw, f"{draw.choice(TEXTS) or 'plain'} {number}", models)
    return world


def ok(answer: Answer) -> Any:
    assert answer.status == 200, answer.content
    return answer.json()


def some(draw: random.Random, values: Sequence[Any]) -> dict[str, Any]:
    return {key: draw.choice(values) for key in KEYS if draw.random() < 0.6}


def pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _tick(world: World, draw: random.Random) -> int:
    world.clock.ms += draw.choice((0, 0, 1, 7))
    return world.clock.ms


def _default_experiment(world: World) -> None:
    told = ok(world.wire.get("experiments/get", experiment_id="0"))["experiment"]
    times = {name: told[name] for name in ("creation_time", "last_update_time")}
    world.rows["experiments"].append(Row("0", {"name": "Default", "experiment_id": "0", **times}))


def _experiment(world: World, draw: random.Random, number: int) -> str:
    now, name, tags = _tick(world, draw), f"{draw.choice(TEXTS)}#{number}", some(draw, TEXTS)
    made: str = ok(world.wire.post("experiments/create", name=name, tags=pairs(tags)))["experiment_id"]
    attributes = {"name": name, "experiment_id": made, "creation_time": now, "last_update_time": now}
    world.rows["experiments"].append(Row(made, attributes, tags=tags))
    if number == 13:
        ok(world.wire.post("experiments/delete", experiment_id=made))
        world.rows["experiments"][-1].stage = "deleted"
    return made


def _run(world: World, draw: random.Random, place: str, number: int) -> str:
    name, user, start = draw.choice(("Alpha", "alpha", "beta_1", "Ärger")), draw.choice(TEXTS), draw.choice(TIMES)
    post = world.wire.post
    tags, params, metrics = some(draw, TEXTS), some(draw, TEXTS), some(draw, NUMBERS)
    made = ok(post("runs/create", experiment_id=place, run_name=name, user_id=user, start_time=start))["run"]["info"]
    run_id: str = made["run_id"]
    points = [
        {"key": key, "value": JSON.get(str(value), value), "timestamp": 1, "step": 1} for key, value in metrics.items()
    ]
    older = [{**point, "value": 77, "step": 0} for point in points]
    ok(post("runs/log-batch", run_id=run_id, metrics=[*points, *older], params=pairs(params), tags=pairs(tags)))
    datasets = [
        {
            "name": draw.choice(TEXTS) or "n",
            "digest": draw.choice(("d1", "D1")),
            "context": draw.choice(("train", None)),
        }
        for _ in range(draw.choice((0, 0, 1, 2)))
    ]
    datasets = list({(one["name"], one["digest"]): one for one in datasets}.values())
    ok(post("runs/log-inputs", run_id=run_id, datasets=[_input(one) for one in datasets]))
    status, end = draw.choice(STATUSES), draw.choice((None, *TIMES))
    ok(post("runs/update", run_id=run_id, status=status, **({} if end is None else {"end_time": end})))
    attributes = {
        "run_id": run_id,
        "run_name": name,
        "user_id": user,
        "status": status,
        "experiment_id": place,
        "artifact_uri": made["artifact_uri"],
        "start_time": start,
        "end_time": end,
    }
    tags["mlflow.runName"] = name
    world.rows["runs"].append(Row(run_id, attributes, metrics, params, tags, datasets))
    if number % 6 == 0:
        ok(post("runs/delete", run_id=run_id))
        world.rows["runs"][-1].stage = "deleted"
    return run_id


def _input(one: dict[str, str | None]) -> dict[str, Any]:
    tags = [{"key": "mlflow.data.context", "value": one["context"]}] if one["context"] else []
    dataset = {"name": one["name"], "digest": one["digest"], "source_type": "code", "source": "{}"}
    return {"dataset": dataset, "tags": tags}


def _logged_model(world: World, draw: random.Random, place: str, run_id: str, logging: str) -> str:
    """A model that `run_id` made; its metrics are logged by another run."""
    now, name = _tick(world, draw), draw.choice(("forest", "Forest", "zoË", "a b"))
    tags, params, metrics = some(draw, TEXTS), some(draw, TEXTS), some(draw, NUMBERS)
    kind = draw.choice((None, "agent", "Agent"))
    sent = {"experiment_id": place, "name": name, "source_run_id": run_id, "model_type": kind}
    made = ok(world.wire.post("logged-models", **sent, tags=pairs(tags), params=pairs(params)))["model"]["info"]
    model_id: str = made["model_id"]
    ok(world.wire.put(f"{made['artifact_uri'].removeprefix('mlflow-artifacts:/')}/MLmodel", MLMODEL))
    status = draw.choice(("LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"))
    changed = _tick(world, draw) if status != "LOGGED_MODEL_PENDING" else now
    if status != "LOGGED_MODEL_PENDING":
        ok(world.wire.patch(f"logged-models/{model_id}", model_id=model_id, status=status))
    for key, value in metrics.items():
        about = {"run_id": logging, "key": key, "model_id": model_id, "timestamp": 1}
        for point, step in ((7, 0), (JSON.get(str(value), value), 1)):
            ok(world.wire.post("runs/log-metric", **about, value=point, step=step))
    attributes = {
        "name": name,
        "model_id": model_id,
        "model_type": kind,
        "source_run_id": run_id,
        "status": status.removeprefix("LOGGED_MODEL_").removeprefix("UPLOAD_"),
        "experiment_id": place,
        "creation_timestamp": now,
        "last_updated_timestamp": changed,
    }
    world.rows["logged_models"].append(Row(model_id, attributes, metrics, params, tags))
    return model_id


def _registered_model(world: World, draw: random.Random, name: str, models: Sequence[str]) -> None:
    name, now, tags = name.replace("/", "-"), _tick(world, draw), some(draw, TEXTS)
    if draw.random() < 0.3:
        tags[oracle.PROMPT] = draw.choice(("true", "false"))
    ok(world.wire.post("registered-models/create", name=name, tags=pairs(tags)))
    prompt = tags.get(oracle.PROMPT) == "true"
    row = Row(name, {"name": name, "last_updated_timestamp": now}, tags=tags, prompt=prompt)
    world.rows["registered_models"].append(row)
    for number in range(1, draw.choice((1, 2, 4))):
        created, given, model_id = _tick(world, draw), some(draw, TEXTS), draw.choice(models)
        sent = {"name": name, "source": f"models:/{model_id}", "model_id": model_id, "tags": pairs(given)}
        made = ok(world.wire.post("model-versions/create", **sent))["model_version"]
        attributes = {
            "name": name,
            "version_number": number,
            "run_id": made.get("run_id"),
            "source_path": sent["source"],
            "creation_timestamp": created,
            "last_updated_timestamp": created,
        }
        world.rows["versions"].append(Row(f"{name}/{number}", attributes, tags=given, prompt=prompt))
        row.attributes["last_updated_timestamp"] = created


# --- asking ---


@dataclass(frozen=True)
class Asked:
    language: Noun
    method: str
    path: str
    found: str
    id_of: Callable[[Any], str]


NOUNS = {
    "runs": Asked(oracle.RUNS, "POST", "runs/search", "runs", lambda one: one["info"]["run_id"]),
    "experiments": Asked(
        oracle.EXPERIMENTS, "POST", "experiments/search", "experiments", lambda one: one["experiment_id"]
    ),
    "registered_models": Asked(
        oracle.REGISTERED_MODELS, "GET", "registered-models/search", "registered_models", lambda one: one["name"]
    ),
    "versions": Asked(
        oracle.VERSIONS,
        "GET",
        "model-versions/search",
        "model_versions",
        lambda one: f"{one['name']}/{one['version']}",
    ),
    "logged_models": Asked(
        oracle.LOGGED_MODELS, "POST", "logged-models/search", "models", lambda one: one["info"]["model_id"]
    ),
}


def ask(world: World, noun: str, text: str, order_by: Sequence[str], size: int, **scope: Any) -> list[str] | None:
    """The ids that the server tells, page by page; None where it refuses. Anything else fails."""
    asked, found = NOUNS[noun], []
    ordered: Any = [_item(one) for one in order_by] if noun == "logged_models" else list(order_by)
    sent = {"filter": text, "order_by": ordered, "max_results": size, **scope}
    for _ in range(1000):
        answer = (world.wire.get if asked.method == "GET" else world.wire.post)(asked.path, **sent)
        if answer.status != 200:
            assert (answer.status, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.content
            assert not found, "a later page was refused"
            return None
        page = answer.json().get(asked.found, [])
        assert len(page) <= size
        found += [asked.id_of(one) for one in page]
        token = answer.json().get("next_page_token")
        if not token:
            return found
        assert len(page) == size, "a page that another one follows is full"
        sent["page_token"] = token
    raise AssertionError("the pages do not end")


def _item(order: str) -> dict[str, Any]:
    for ending, ascending in ((" ASC", True), (" DESC", False)):
        if order.endswith(ending):
            return {"field_name": order.removesuffix(ending), "ascending": ascending}
    return {"field_name": order}
