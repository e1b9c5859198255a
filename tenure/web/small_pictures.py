"""Small pictures of how good a window's answers were, as paths of an SVG of 100 × 100 units, from kept counts."""

from __future__ import annotations

from tenure.records.base import Record
from tenure.records.measured import ClassConfusion, ErrorCounts, Line, Measured
from tenure.records.windows import Confusion

SIDE = 100.0


class Rod(Record):
    """A bar of a histogram, or an interval: from (x, y) on, so wide and so high."""

    x: float
    y: float
    width: float
    height: float


class Dot(Record):
    """A bin of scores: what was said, what happened, and from where to where its interval reaches."""

    x: float
    y: float
    low: float
    high: float
    words: str


class Cell(Record):
    """A cell of a confusion matrix: rows, and their share of all rows of what came, 0–1, in tenths for its shade."""

    rows: int
    share: float
    shade: int
    right: bool


class Matrix(Record):
    """What came by rows, what was said by columns."""

    labels: list[str]
    cells: list[list[Cell]]


class Pictures(Record):
    """What of it a task has; None and empty for what it has not. `zero` is where an error of 0 lies, 0–100."""

    roc: str | None = None
    precision_recall: str | None = None
    calibration: list[Dot] = []
    matrix: Matrix | None = None
    errors: list[Rod] = []
    zero: float | None = None


def pictures(told: Measured | None, confusion: Confusion | None) -> Pictures:
    """The pictures of a window's measures."""
    if told is None:
        return Pictures()
    return Pictures(
        roc=path(told.roc),
        precision_recall=path(told.precision_recall),
        calibration=[
            Dot(
                x=point.said * SIDE,
                y=SIDE - point.happened * SIDE,
                low=SIDE - point.low * SIDE,
                high=SIDE - point.high * SIDE,
                words=f"said {point.said:.1%}, happened {point.happened:.1%} ({point.low:.1%} to {point.high:.1%}), "
                f"{point.n:,} rows",
            )
            for point in told.calibration
        ],
        matrix=_matrix(told.confusion or _yes_or_no(confusion)),
        errors=rods(told.errors) if told.errors else [],
        zero=_zero(told.errors) if told.errors else None,
    )


def path(line: Line | None) -> str | None:
    """A curve between (0, 0) and (1, 1) as path data.

    >>> path(Line(x=[0.0, 1.0], y=[0.0, 1.0]))
    'M0.0 100.0L100.0 0.0'
    """
    if line is None:
        return None
    return "M" + "L".join(f"{x * SIDE:.1f} {SIDE - y * SIDE:.1f}" for x, y in zip(line.x, line.y, strict=True))


def rods(errors: ErrorCounts) -> list[Rod]:
    """A histogram's bars, the highest as high as the picture.

    >>> [rod.height for rod in rods(ErrorCounts(edges=[0.0, 1.0, 2.0], counts=[1, 2]))]
    [50.0, 100.0]
    """
    most, width = max([*errors.counts, 1]), SIDE / max(len(errors.counts), 1)
    return [
        Rod(x=round(place * width, 2), y=SIDE - count / most * SIDE, width=width, height=count / most * SIDE)
        for place, count in enumerate(errors.counts)
    ]


def _zero(errors: ErrorCounts) -> float | None:
    low, high = errors.edges[0], errors.edges[-1]
    return (0 - low) / (high - low) * SIDE if low < 0 < high else None


def _yes_or_no(told: Confusion | None) -> ClassConfusion | None:
    if told is None:
        return None
    counts = [[told.true_negative, told.false_positive], [told.false_negative, told.true_positive]]
    return ClassConfusion(labels=["no", "yes"], counts=counts)


def _matrix(told: ClassConfusion | None) -> Matrix | None:
    if told is None:
        return None
    cells = []
    for came, line in enumerate(told.counts):
        total = max(sum(line), 1)
        cells.append(
            [
                Cell(rows=rows, share=rows / total, shade=round(rows / total * 10), right=came == said)
                for said, rows in enumerate(line)
            ]
        )
    return Matrix(labels=told.labels, cells=cells)
