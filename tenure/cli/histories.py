"""How `tenure audit as-of` shows what the server answers."""

from __future__ import annotations

from typing import Any

from tenure.cli.asking import show, when

Told = dict[str, Any]
DIGEST_SHOWN = 19


def show_as_of(found: Told, as_json: bool) -> None:
    """Print how a model stood: what answered, then each version with its evidence and who signed for it."""
    if as_json:
        show(found, as_json)
        return
    title = f"{found['name']} at {when(found['at'])} UTC"
    if len(found["names"]) > 1:
        title += f" (its names: {', '.join(found['names'])})"
    rows = [
        (one["endpoint"], one["version"], one["role"], f"{one['share']:.0%}", when(one["from_at"]), one["reason"])
        for one in found["releases"]
    ]
    show(found, False, ["endpoint", "version", "role", "share", "since (UTC)", "why"], rows, f"In service: {title}")
    show(found, False, ["", ""], _model_rows(found), "The model then")
    _show_signed(found, found["revisions"], "Signatures for the model's file")
    for version in found["versions"]:
        show(found, False, ["", ""], _version_rows(version), f"Version {version['version']}")
        _show_signed(found, version["changes"], f"Signatures for version {version['version']}")
        gates = [
            (
                one["gate"],
                "passed" if one["passed"] else "failed",
                one["policy_version"],
                _short(one["facts_digest"]),
                when(one["evaluated_at"]),
            )
            for one in version["gates"]
        ]
        if gates:
            columns = ["gate", "result", "policy", "facts", "at (UTC)"]
            show(found, False, columns, gates, f"Gates of version {version['version']}")


def _show_signed(found: Told, changes: list[Told], title: str) -> None:
    signed = [
        (change["kind"], one["printed_name"], one["role"], one["meaning"], one["reason"], when(one["signed_at"]))
        for change in changes
        for one in change["signatures"]
        if not one["voided"]
    ]
    if signed:
        show(found, False, ["for", "signed by", "role", "meaning", "reason", "at (UTC)"], signed, title)


def _model_rows(found: Told) -> list[tuple[str, Any]]:
    file = found["model_file"]
    aliases = ", ".join(f"{alias} → {version}" for alias, version in found["aliases"].items())
    states = ", ".join(f"{version} {state}" for version, state in found["states"].items())
    people = ", ".join(f"{one['person']} ({', '.join(one['roles']) or 'no role'})" for one in found["people"])
    return [
        ("model's file", _revision(file) if file else "none"),
        ("aliases", aliases or "none"),
        ("versions", states or "none"),
        ("people", people or "none"),
    ]


def _version_rows(version: Told) -> list[tuple[str, Any]]:
    card, profile = version["card"], version["profile"]
    rows = [
        ("state", f"{version['state']}, since {when(version['state_since_at'])}"),
        ("files", version["digest"] or "none pinned"),
        ("registered", f"by {version['registered_by']}, {when(version['registered_at'])}"),
        ("card", _revision(card) if card else "nobody wrote one"),
        ("baseline", _short(profile["digest"]) if profile else "none"),
    ]
    for change in version["changes"]:
        under = f", under the envelope of change {change['approved_under']}" if change["approved_under"] else ""
        asked = f"asked by {change['opened_by']}, {when(change['opened_at'])}"
        told = f"{change['state']}: {change['reason']} ({asked}{under})"
        rows.append((f"change to {change['kind']}", told))
    return rows


def _revision(one: Told) -> str:
    return f"revision {one['revision']}, by {one['by']}, {when(one['at'])}, {_short(one['digest'])}"


def _short(digest: str) -> str:
    return digest[:DIGEST_SHOWN]
