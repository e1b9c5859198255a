"""The gateway's figures for Prometheus; `docs/metrics.md` says what each means."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tenure.serving import journal
from tenure.serving.arms import Arms
from tenure.serving.exposition import Page
from tenure.serving.figures import BOUNDS_S, Figures, as_told, process_usage
from tenure.serving.scorers import Scorer


def page(
    process: str,
    figures: Figures,
    arms: Arms,
    written: journal.Figures,
    shadows_dropped: Mapping[str, int],
    admissions: Mapping[str, Mapping[str, int]],
    unjournaled: Mapping[str, Mapping[str, int]],
) -> bytes:
    told = Page()
    _service(told, figures)
    _versions(told, arms)
    told.add(
        "tenure_shadows_dropped_total",
        "counter",
        "Requests that a shadow did not score.",
        [({"release": release}, count) for release, count in shadows_dropped.items()],
    )
    told.add(
        "tenure_admissions_total",
        "counter",
        "Requests that were not simply admitted, by what became of them.",
        [({"endpoint": name, "result": result}, n) for name, each in admissions.items() for result, n in each.items()],
    )
    told.add(
        "tenure_unjournaled_total",
        "counter",
        "Answers that are not in the journal, by why.",
        [({"endpoint": name, "why": why}, n) for name, each in unjournaled.items() for why, n in each.items()],
    )
    add_journal(told, written, process)
    add_process(told, process)
    return told.text()


def add_journal(told: Page, written: journal.Figures, process: str) -> None:
    labels = {"process": process}
    told.add("tenure_journal_frames_total", "counter", "Frames written to the journal.", [(labels, written.frames)])
    told.add("tenure_journal_bytes_total", "counter", "Bytes written to the journal.", [(labels, written.bytes)])
    told.add("tenure_journal_writes_total", "counter", "Writes to the journal.", [(labels, written.writes)])
    told.add(
        "tenure_journal_write_seconds_total",
        "counter",
        "Seconds that writes to the journal took.",
        [(labels, written.write_ns / 1e9)],
    )
    told.add(
        "tenure_journal_refused_total",
        "counter",
        "Frames that the disk refused, or for which too many bytes waited.",
        [(labels, written.refused)],
    )
    told.add(
        "tenure_journal_waiting_bytes",
        "gauge",
        "Bytes that wait for the next write to the journal.",
        [(labels, written.waiting_bytes)],
    )


def add_process(told: Page, process: str) -> None:
    usage = process_usage(os.getpid())
    if usage is not None:
        labels = {"process": process}
        told.add("tenure_process_cpu_seconds_total", "counter", "CPU seconds of a process.", [(labels, usage[0])])
        told.add("tenure_process_resident_bytes", "gauge", "Resident memory of a process.", [(labels, usage[1])])


def _service(told: Page, figures: Figures) -> None:
    served = [
        ({"endpoint": one.endpoint, "version": one.version, "role": one.role}, one) for one in figures.served.values()
    ]
    told.add(
        "tenure_requests_total",
        "counter",
        "Scoring requests by status; what was refused before a version was asked has none.",
        [
            *(({**labels, "status": 200}, sum(one.latency)) for labels, one in served),
            *(({**labels, "status": status}, count) for labels, one in served for status, count in one.refused.items()),
            *(
                ({"endpoint": name, "version": "", "role": "", "status": status}, count)
                for (name, status), count in figures.refused.items()
            ),
        ],
    )
    told.add_histogram(
        "tenure_request_seconds",
        "Seconds from the first byte of a request's headers to its answer.",
        BOUNDS_S,
        [(labels, as_told(one.latency), one.latency_us / 1e6) for labels, one in served],
    )
    told.add("tenure_rows_total", "counter", "Rows that were answered.", [(labels, one.rows) for labels, one in served])
    told.add(
        "tenure_input_bytes_total", "counter", "Bytes of bodies.", [(labels, one.sent_bytes) for labels, one in served]
    )
    told.add(
        "tenure_output_bytes_total",
        "counter",
        "Bytes of answers.",
        [(labels, one.said_bytes) for labels, one in served],
    )
    told.add("tenure_requests_in_flight", "gauge", "Requests that are under way.", [({}, figures.in_flight)])


def _versions(told: Page, arms: Arms) -> None:
    scorers = {
        (arm.release.model, arm.release.version): arm.scorer
        for endpoint in arms.endpoints()
        for arm in (*endpoint.answering, *endpoint.shadows)
        if isinstance(arm.scorer, Scorer)
    }
    named = [({"model": model, "version": version}, scorer) for (model, version), scorer in scorers.items()]
    used = [(labels, process_usage(scorer.pid)) for labels, scorer in named if scorer.pid]
    told.add("tenure_scorer_batches_total", "counter", "Batches given to a scorer.", [(n, s.batches) for n, s in named])
    told.add(
        "tenure_scorer_batched_requests_total",
        "counter",
        "Requests in those batches; divided by them, the mean batch.",
        [(labels, scorer.batched) for labels, scorer in named],
    )
    told.add(
        "tenure_scorer_queue_seconds_total",
        "counter",
        "Seconds that requests waited for a scorer.",
        [(labels, scorer.queue_s) for labels, scorer in named],
    )
    told.add("tenure_scorer_waiting", "gauge", "Requests that wait for a scorer.", [(n, s.waiting) for n, s in named])
    told.add(
        "tenure_scorer_cpu_seconds_total",
        "counter",
        "CPU seconds of a version's process; a restart begins at 0 again.",
        [(labels, usage[0]) for labels, usage in used if usage],
    )
    told.add(
        "tenure_scorer_resident_bytes",
        "gauge",
        "Resident memory of a version's process.",
        [(labels, usage[1]) for labels, usage in used if usage],
    )
