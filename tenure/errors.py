"""Everything that Tenure can refuse or fail at, as one tree.

    TenureError
    ├── InvalidInput          what was sent is not what must be sent
    │   ├── TooLarge          it is more than the limit allows
    │   ├── ValuesRefused     its values are not what the model's file admits
    │   └── UnsupportedType   it is not in a form that is read here
    ├── NotFound              nothing of that name is here
    ├── Conflict              it clashes with what is already here
    │   └── AlreadyExists
    ├── NotSignedIn           nobody is known to be asking
    ├── NotAllowed            this person or service may not
    │   ├── GateNotMet        nobody may, until the named facts change
    │   └── NotAdmitted       the model's file does not let this request be scored
    ├── Unavailable           right now it cannot be done; later it can
    │   └── TooMany           too much is waiting already
    │       └── OverQuota     this caller has had what it may; later there is more
    ├── ModelFailed           a model raised an exception at what it was given
    └── CannotStart           the settings or the machine forbid it

A message says what must be, what was got, where, and what to do next. An error has a stable `code`;
which HTTP status it becomes is known to the faces alone.
"""

from __future__ import annotations

from collections.abc import Sequence


class TenureError(Exception):
    """The root of the tree. `where` is a path into what was sent, such as `routes[1].share`.

    `release_id`: the release that was asked for an answer and failed, where one was.
    """

    code = "error"
    release_id = ""

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where


class InvalidInput(TenureError):
    code = "invalid_input"


class TooLarge(InvalidInput):
    code = "too_large"


class UnsupportedType(InvalidInput):
    code = "unsupported_type"


class NotFound(TenureError):
    code = "not_found"


class Conflict(TenureError):
    code = "conflict"


class AlreadyExists(Conflict):
    code = "already_exists"


class NotSignedIn(TenureError):
    code = "not_signed_in"


class NotAllowed(TenureError):
    code = "not_allowed"


class GateNotMet(NotAllowed):
    """A gate said no. `failures` holds a sentence for each rule that failed: rule, fact, what would satisfy it."""

    code = "gate_not_met"

    def __init__(self, message: str, *, failures: Sequence[str], where: str | None = None) -> None:
        super().__init__(message, where=where)
        self.failures = tuple(failures)


class Unavailable(TenureError):
    code = "unavailable"


class TooMany(Unavailable):
    code = "too_many"


class ModelFailed(TenureError):
    code = "model_failed"


class CannotStart(TenureError):
    code = "cannot_start"


class NotAdmitted(NotAllowed):
    """The model's file does not let this request be scored. `reason` names the rule, as do those of its siblings."""

    code = "not_admitted"

    def __init__(self, message: str, *, reason: str = "", where: str | None = None) -> None:
        super().__init__(message, where=where)
        self.reason = reason


class ValuesRefused(InvalidInput):
    """What was sent is what the version takes, but not what the model's file admits. `problems`: a line a column."""

    code = "values_refused"

    def __init__(
        self, message: str, *, reason: str = "", where: str | None = None, problems: Sequence[dict[str, str]] = ()
    ) -> None:
        super().__init__(message, where=where)
        self.reason = reason
        self.problems = tuple(problems)


class RowsRefused(InvalidInput):
    """Rows of what was sent do not fit. `problems`: the first of them, each with row, where and message."""

    code = "rows_refused"

    def __init__(self, message: str, *, where: str | None = None, problems: Sequence[dict[str, object]] = ()) -> None:
        super().__init__(message, where=where)
        self.problems = tuple(problems)


class OverQuota(TooMany):
    """A caller has had scored what it may. `retry_after_s`: seconds until there is more."""

    code = "over_quota"
    reason = "quota"

    def __init__(self, message: str, *, retry_after_s: int = 1, where: str | None = None) -> None:
        super().__init__(message, where=where)
        self.retry_after_s = retry_after_s
