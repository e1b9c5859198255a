"""Metrics, and batches of metrics, params and tags: what a training loop writes."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.build import runs
from tenure.build.limits import (
    check_batch,
    check_key,
    check_max_results,
    checked_params,
    checked_tags,
    missing,
    refuse,
    required,
)
from tenure.build.pages import cut, read
from tenure.errors import InvalidInput
from tenure.records.tracking import KeyValue, Metric, MetricPoint
from tenure.store import metrics
from tenure.store.database import Transaction

MOST_RUNS = 100
MOST_POINTS = 2500
MOST_IN_BULK = 25_000


def log(tx: Transaction, run_id: str | None, point: MetricPoint) -> None:
    """Store one point of an active run. The same point again changes nothing."""
    run_id = required(run_id, "run_id")
    check_key(point.key, "key")
    if not metrics.add_next(tx, run_id, point):
        metrics.add(tx, runs.check_active(tx, run_id), (point,))


def log_batch(
    tx: Transaction,
    run_id: str | None,
    points: Sequence[MetricPoint],
    params: Sequence[KeyValue],
    tags: Sequence[KeyValue],
    *,
    cut: bool = True,
) -> None:
    """Store all of it or none of it. Sending a batch again changes nothing, so a client may retry.

    `cut`: whether a text that is too long is cut, or refused.
    """
    check_batch(points, params, tags)
    run_id = runs.check_active(tx, run_id)
    try:
        for key in {point.key for point in points}:
            check_key(key, "metrics[].name")
    except InvalidInput:  # which one it is, is only looked for now
        for place, point in enumerate(points):
            check_key(point.key, f"metrics[{place}].name")
    given, set_ = checked_params(params, cut=cut), checked_tags(tags, cut=cut)
    runs.log_params(tx, run_id, given)
    if points:
        metrics.add(tx, run_id, points)
    if set_:
        runs.set_tags(tx, run_id, set_)


def history(
    tx: Transaction, run_id: str | None, key: str | None, *, max_results: int | None, page_token: str | None
) -> tuple[list[Metric], str | None]:
    """Points of one key by timestamp, step, value: all of them, or one page when `max_results` is given.

    Clients may ask for a page of none.
    """
    run_id = runs.info(tx, run_id).run_id
    key = required(key, "metric_key")
    offset = read(page_token)
    if max_results is None:
        return metrics.history(tx, run_id, key, None, offset), None
    if max_results == 0:
        return [], None
    limit = check_max_results(max_results, None, None)
    return cut(metrics.history(tx, run_id, key, limit + 1, offset), limit, offset)


def histories(
    tx: Transaction, run_ids: Sequence[str], key: str | None, *, max_results: int | None
) -> list[tuple[str, Metric]]:
    """The first points of one key over several runs, by run id, timestamp, step and value. Unknown runs have none."""
    if not run_ids:
        raise InvalidInput("GetMetricHistoryBulk request must specify at least one run_id.", where="run_id")
    _check_runs(run_ids, "GetMetricHistoryBulk request cannot specify more than")
    if key is None:
        raise InvalidInput("GetMetricHistoryBulk request must specify a metric_key.", where="metric_key")
    left = min(MOST_IN_BULK if max_results is None else max_results, MOST_IN_BULK)
    if left < 0:
        refuse(max_results, "max_results", f"It must be between 0 and {MOST_IN_BULK}.")
    found: list[tuple[str, Metric]] = []
    for run_id in sorted(set(run_ids)):
        found += [(run_id, point) for point in metrics.history(tx, run_id, key, left - len(found), 0)]
        if len(found) == left:
            break
    return found


def sampled(
    tx: Transaction,
    run_ids: Sequence[str] | None,
    key: str | None,
    *,
    start_step: int | None,
    end_step: int | None,
    max_results: int | None,
) -> list[Metric]:
    """Curves of one key over several runs, thinned to the same steps; each run's first and last step are kept."""
    if not run_ids:
        raise missing("run_ids")
    _check_runs(run_ids, "GetMetricHistoryBulkInterval request must specify at most")
    key = required(key, "metric_key")
    limit = MOST_POINTS if max_results is None else max_results
    if not 1 <= limit <= MOST_POINTS:
        refuse(limit, "max_results", f"max_results must be between 1 and {MOST_POINTS}.")
    low, high = _between(start_step, end_step)
    for run_id in run_ids:
        runs.info(tx, run_id)
    steps = {run_id: metrics.steps(tx, run_id, key, low, high) for run_id in run_ids}
    wanted = sorted(chosen_steps([one for one in steps.values() if one], limit))
    most = max(len(wanted), MOST_POINTS)
    return [point for run_id in run_ids if steps[run_id] for point in metrics.at_steps(tx, run_id, key, wanted, most)]


def chosen_steps(steps_of_runs: Sequence[Sequence[int]], limit: int) -> set[int]:
    """At most `limit` evenly spaced steps of all, and the first and last step of each run.

    >>> sorted(chosen_steps([[0, 1, 2, 3, 4, 5]], 3))
    [0, 2, 4, 5]
    >>> sorted(chosen_steps([range(0, 10_000_000), range(0, 1000, 2)], 2))
    [0, 998, 5000000, 9999999]
    """
    every = _together(steps_of_runs)
    if len(every) <= limit:
        return set(every)
    ends = {step for steps in steps_of_runs for step in (steps[0], steps[-1])}
    return {every[place * len(every) // limit] for place in range(limit)} | ends


def _together(steps_of_runs: Sequence[Sequence[int]]) -> Sequence[int]:
    """All steps, each once, rising. Where one range holds all others it is the answer, however long it is."""
    longest = max(steps_of_runs, key=len, default=())
    if isinstance(longest, range) and all(_holds(longest, one) for one in steps_of_runs):
        return longest
    return sorted({step for steps in steps_of_runs for step in steps})


def _holds(longest: range, steps: Sequence[int]) -> bool:
    if isinstance(steps, range):
        return steps[0] in longest and steps[-1] in longest and (len(steps) == 1 or steps.step % longest.step == 0)
    return all(step in longest for step in steps)


def _between(start_step: int | None, end_step: int | None) -> tuple[int, int]:
    if start_step is None and end_step is None:
        return -(2**63), 2**63 - 1
    if start_step is None or end_step is None:
        raise InvalidInput("If either start step or end step are specified, both must be specified.")
    if start_step > end_step:
        raise InvalidInput(
            f"end_step must be greater than start_step. Found start_step={start_step} and end_step={end_step}.",
            where="end_step",
        )
    return start_step, end_step


def _check_runs(run_ids: Sequence[str], at_most: str) -> None:
    if len(run_ids) > MOST_RUNS:
        raise InvalidInput(f"{at_most} {MOST_RUNS} run_ids. Received {len(run_ids)} run_ids.", where="run_ids")
