"""What names, keys and values may be: checks that raise InvalidInput, in the words MLflow's clients know."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from posixpath import normpath
from typing import Any, NoReturn

from tenure.errors import InvalidInput
from tenure.records.tracking import KeyValue

KEY_LENGTH = 250
PARAM_LENGTH = 6000
RUN_TAG_LENGTH = 8000
EXPERIMENT_TAG_LENGTH = 20_000
REGISTRY_TAG_LENGTH = 100_000
EXPERIMENT_NAME_LENGTH = 500
LOCATION_LENGTH = 2048
ALIAS_LENGTH = 255
MODEL_NAME_LENGTH = 255
BATCH_METRICS = 1000
BATCH_PARAMS = 100
BATCH_TAGS = 100
BATCH_TOTAL = 1000
SHOWN_LENGTH = 100

KEY = re.compile(r"[\w/.\- :]+")
ALIAS = re.compile(r"[\w\-]+")
VERSION_ALIAS = re.compile(r"v\d+", re.IGNORECASE)


def shown(value: Any) -> str:
    """A value as JSON for a message, cut when it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"


def refuse(value: Any, name: str, why: str) -> NoReturn:
    """Raise InvalidInput in the shape that MLflow's clients match: value, parameter, reason."""
    raise InvalidInput(f"Invalid value {shown(value)} for parameter '{name}' supplied: {why}", where=name)


def missing(name: str) -> InvalidInput:
    return InvalidInput(f"Missing value for required parameter '{name}'. It must be sent and not be empty.", where=name)


def required(value: str | None, name: str) -> str:
    """The value, or InvalidInput when it was not sent or is empty."""
    if not value:
        raise missing(name)
    return value


@lru_cache(maxsize=8192)
def check_key(key: str, name: str) -> None:
    """Refuse a metric, param or tag key that is empty, too long, has other characters, or reads like a path outside."""
    if not key:
        raise missing(name)
    if not KEY.fullmatch(key):
        refuse(
            key,
            name,
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), "
            "colon(:) and slashes (/).",
        )
    if key != normpath(key) or key == "." or key.startswith(("..", "/")):
        refuse(
            key, name, f"Names may be treated as files: they must not resolve to other names, as to {normpath(key)!r}."
        )
    check_length(key, KEY_LENGTH, name)


def check_length(text: str, limit: int, name: str) -> None:
    if len(text) > limit:
        raise InvalidInput(
            f"Invalid value {shown(text)} for parameter '{name}' supplied: '{name.rpartition('.')[2]}' exceeds the "
            f"maximum length of {limit} characters. Got {len(text)}.",
            where=name,
        )


def fitted(value: str, limit: int, name: str, *, cut: bool) -> str:
    """The value cut at the limit; with `cut` off one that is longer is refused."""
    if not cut:
        check_length(value, limit, name)
    return value[:limit]


def check_batch(metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]) -> None:
    """Refuse a batch above MLflow's limits."""
    for kind, sent, limit in (
        ("metrics", metrics, BATCH_METRICS),
        ("params", params, BATCH_PARAMS),
        ("tags", tags, BATCH_TAGS),
    ):
        if len(sent) > limit:
            raise InvalidInput(
                f"A batch logging request can contain at most {limit} {kind}. Got {len(sent)} {kind}. "
                f"Please split up {kind} across multiple requests and try again.",
                where=kind,
            )
    total = len(metrics) + len(params) + len(tags)
    if total > BATCH_TOTAL:
        raise InvalidInput(
            f"A batch logging request can contain at most {BATCH_TOTAL} metrics, params and tags in all. Got {total}. "
            "Please split up across multiple requests and try again."
        )


def check_any_key(key: str, name: str) -> None:
    """Refuse a key that is empty or very long. Keys of logged models are what frameworks call their parameters."""
    check_length(required(key, name), PARAM_LENGTH, name)


def checked_params(
    params: Iterable[KeyValue], *, cut: bool = True, check: Callable[[str, str], None] = check_key
) -> dict[str, str]:
    """Params by key, values fitted to the limit. The same key twice in one request is refused."""
    found: dict[str, str] = {}
    for place, param in enumerate(params):
        check(param.key, f"params[{place}].key")
        if param.key in found:
            raise InvalidInput(
                f"Duplicate parameter keys have been submitted: {shown(param.key)}. Please ensure the request contains "
                "only one param value per param key.",
                where="params",
            )
        found[param.key] = fitted(param.value, PARAM_LENGTH, f"params[{place}].value", cut=cut)
    return found


def checked_tags(tags: Iterable[KeyValue], *, limit: int = RUN_TAG_LENGTH, cut: bool = True) -> dict[str, str]:
    """Tags by key, values fitted to the limit; the last one of a key counts."""
    found: dict[str, str] = {}
    for place, tag in enumerate(tags):
        check_key(tag.key, f"tags[{place}].key")
        found[tag.key] = fitted(tag.value, limit, f"tags[{place}].value", cut=cut)
    return found


def check_alias(alias: str | None) -> str:
    alias = required(alias, "alias")
    check_length(alias, ALIAS_LENGTH, "alias")
    if not ALIAS.fullmatch(alias):
        refuse(alias, "alias", "Invalid alias name: it may only contain letters, digits, underscores and dashes.")
    if alias.lower() == "latest" or VERSION_ALIAS.fullmatch(alias):
        refuse(alias, "alias", "'latest' and names such as 'v1' are reserved and cannot be aliases.")
    return alias


def check_model_name(name: str | None, parameter: str = "name") -> str:
    """A registered model's name: not empty, no `/` and no `:`."""
    if not name:
        raise missing(parameter)
    if not name.strip():
        raise InvalidInput("Registered model name cannot be empty.", where=parameter)
    check_length(name, MODEL_NAME_LENGTH, parameter)
    if "/" in name or ":" in name or any(ord(character) < 32 for character in name) or name in (".", ".."):
        refuse(name, parameter, "Invalid model name: it must not contain '/', ':' or control characters.")
    return name


def check_logged_model_name(name: str) -> str:
    if not name or any(character in "/:.%\"'" or ord(character) < 32 for character in name):
        refuse(
            name,
            "name",
            "Invalid model name: it must not be empty nor contain any of / : . % \" ' or control characters.",
        )
    check_length(name, EXPERIMENT_NAME_LENGTH, "name")
    return name


def parse_version(version: str | int | None) -> int:
    """A version's number from the digits that the wire carries."""
    text = required(None if version is None else str(version), "version")
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidInput(f"Parameter 'version' must be an integer, got '{text[:SHOWN_LENGTH]}'.", where="version")
    return int(text)


def check_max_results(value: int | None, default: int | None, most: int | None) -> int:
    """How many results are asked for, between 1 and `most`."""
    if value is None:
        if default is None:
            raise missing("max_results")
        return default
    if value < 1:
        refuse(value, "max_results", "It must be a positive integer.")
    if most is not None and value > most:
        refuse(value, "max_results", f"It must be at most {most}: max_results must be between 1 and {most}.")
    return value
