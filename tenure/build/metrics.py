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
    refuse,
    required,
)
from tenure.build.pages import cut, read
from tenure.records.tracking import KeyValue, Metric, MetricPoint
from tenure.store import metrics
from tenure.store.database import Transaction

MOST_RUNS = 100
MOST_POINTS = 2500


def log(tx: Transaction, run_id: str | None, point: MetricPoint) -> None:
    """Store one point of an active run. The same point again changes nothing."""
    run_id = runs.check_active(tx, run_id)
    check_key(point.key, "key")
    metrics.add(tx, run_id, (point,))


def log_batch(
    tx: Transaction,
    run_id: str | None,
    points: Sequence[MetricPoint],
    params: Sequence[KeyValue],
    tags: Sequence[KeyValue],
) -> None:
    """Store all of it or none of it. Sending a batch again changes nothing, so a client may retry."""
    check_batch(points, params, tags)
    run_id = runs.check_active(tx, run_id)
    for key in {point.key for point in points}:
        check_key(key, "metrics[].key")
    given, set_ = checked_params(params), checked_tags(tags)
    runs.log_params(tx, run_id, given)
    if points:
        metrics.add(tx, run_id, points)
    if set_:
        runs.set_tags(tx, run_id, set_)


def history(
    tx: Transaction, run_id: str | None, key: str | None, *, max_results: int | None, page_token: str | None
) -> tuple[list[Metric], str | None]:
    """Points of one key by timestamp, step, value: all of them, or one page when `max_results` is given."""
    run_id = runs.info(tx, run_id).run_id
    key = required(key, "metric_key")
    offset = read(page_token)
    if max_results is None:
        return metrics.history(tx, run_id, key, None, offset), None
    limit = check_max_results(max_results, None, None)
    return cut(metrics.history(tx, run_id, key, limit + 1, offset), limit, offset)


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
    if not run_ids or len(run_ids) > MOST_RUNS:
        refuse(len(run_ids or ()), "run_ids", f"GetMetricHistoryBulkInterval takes 1 to {MOST_RUNS} run ids.")
    key = required(key, "metric_key")
    limit = check_max_results(max_results, MOST_POINTS, MOST_POINTS)
    if (start_step is None) != (end_step is None):
        refuse(start_step, "start_step", "start_step and end_step must be given together.")
    low, high = (-(2**63), 2**63 - 1) if start_step is None or end_step is None else (start_step, end_step)
    if low > high:
        refuse(start_step, "start_step", "It must not be greater than end_step.")
    for run_id in run_ids:
        runs.info(tx, run_id)
    wanted = chosen_steps(metrics.steps(tx, run_ids, key, low, high), limit)
    return [point for run_id in run_ids for point in metrics.at_steps(tx, run_id, key, wanted, MOST_POINTS)]


def chosen_steps(steps_of_runs: Sequence[Sequence[int]], limit: int) -> set[int]:
    """At most `limit` evenly spaced steps of all, and the first and last step of each run.

    >>> sorted(chosen_steps([[0, 1, 2, 3, 4, 5]], 3))
    [0, 2, 4, 5]
    """
    every = sorted({step for steps in steps_of_runs for step in steps})
    ends = {step for steps in steps_of_runs for step in (steps[0], steps[-1])}
    if len(every) <= limit:
        return set(every)
    return {every[place * len(every) // limit] for place in range(limit)} | ends
