"""A policy as people write it, YAML."""

from __future__ import annotations

from typing import Any

import yaml

from tenure.records import yaml_text
from tenure.records.digests import told
from tenure.records.policies import Policy

FIRST = ("policy", "purpose", "valid_from", "valid_to")


def mapping(text: str) -> dict[str, Any]:
    """The keys of a policy. Raises InvalidInput, with the line where YAML cannot go on."""
    return yaml_text.mapping(text, named="The policy", such_as="policy, purpose and rules")


def written(policy: Policy) -> str:
    """A policy as YAML: name and purpose first, a line for every key, without what stands at its default."""
    plain = told(policy)
    ordered = {key: plain[key] for key in (*FIRST, *plain) if key in plain}
    return str(yaml.dump(ordered, Dumper=_Lines, sort_keys=False, width=100, allow_unicode=True))


class _Lines(yaml.SafeDumper):
    """A line for every key; a list of words stands on its line."""

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        flow = flow_style if any(isinstance(item, dict) for item in sequence) else True
        return super().represent_sequence(tag, sequence, flow_style=flow)
