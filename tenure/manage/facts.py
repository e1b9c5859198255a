"""Gathering what is known about a version, in two steps.

`check_bytes` reads and hashes the version's files and may take long: it is called before any write transaction.
`gather` then puts all facts together inside the transaction that decides on them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tenure.build import model_versions, provenance
from tenure.errors import Conflict, NotFound
from tenure.manage import bans, cards, contents, marks, upstream
from tenure.manage.in_force import InForce
from tenure.records.cards import CardInfo
from tenure.records.changes import Subject
from tenure.records.digests import digest_of
from tenure.records.facts import (
    ApprovalFact,
    ArtifactFact,
    BaselineFact,
    BytesChecked,
    CardFact,
    CodeFact,
    ContentsFact,
    DataFact,
    EnvironmentFact,
    Facts,
    FeatureFact,
    ProxyFact,
)
from tenure.records.model_files import AppliedFile
from tenure.records.profiles import Profile
from tenure.records.provenance import Code, Environment
from tenure.records.registry import ModelVersionInfo
from tenure.store import cards as kept_cards
from tenure.store import changes, endpoints, model_files, profiles, proxy_tests, runs
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.profiles import StoredProfile
from tenure.store.roots import Opened


def check_bytes(ground: Ground, model: str, version: int) -> BytesChecked:
    """Read every pinned file of a version and compare size and digest with its manifest. Raises NotFound.

    Files that nobody looked into before are scanned, so that `gather` knows what they are.
    """
    info = ground.database.read(lambda tx: model_versions.get(tx, model, version))
    contents.scan_missing(ground, info)
    return compare_bytes(ground.opened(info.storage_location), info)


def require_intact(ground: Ground, model: str, version: int) -> None:
    """Raise Conflict unless every pinned file of a version is there with its digest: asked before it is released.

    What a gateway fetches and a scorer loads is checked again; this says it before anybody relies on it.
    """
    info = ground.database.read(lambda tx: model_versions.get(tx, model, version))
    refuse_broken(compare_bytes(ground.opened(info.storage_location), info))


def refuse_broken(checked: BytesChecked) -> None:
    """Raise Conflict when some of a version's files are not what was registered."""
    if checked.problems:
        raise Conflict(
            f"Version {checked.version} of {checked.model!r} cannot be put into service: "
            f"{'; '.join(checked.problems)}. "
            "Restore the files in the artifact store, or register a new version."
        )


def compare_bytes(opened: Opened | None, info: ModelVersionInfo) -> BytesChecked:
    """The same for a version that is at hand, with where its files are."""
    problems = []
    for file in info.files:
        if opened is None:
            problems.append(f"{file.path} lies outside every artifact root of this server")
            continue
        try:
            size, digest = opened.store.sha256(opened.below(file.path))
        except NotFound:
            problems.append(f"{file.path} is not there")
            continue
        if (size, digest) != (file.size_bytes, file.sha256):
            problems.append(f"{file.path} has other content than when it was registered")
    return BytesChecked(
        model=info.name,
        version=info.version,
        digest=info.digest or "",
        file_count=len(info.files),
        problems=problems,
    )


def gather(
    tx: Transaction, model: str, version: int, checked: BytesChecked | None, force: InForce, *, released: bool = False
) -> Facts:
    """Everything that is known about a version, under the policies that are in force.

    With `released`, how it stands since its approval too: what it is judged by when it is to be released.
    """
    info = model_versions.get(tx, model, version, with_labels=False)
    applied = force.applied or model_files.current(tx, model)
    file = applied.file if applied else None
    stored = profiles.signed(tx, model, version)
    card = cards.filled(info, kept_cards.current(tx, model, version), file=file, baseline=_profile(stored))
    known = upstream.known(tx, model, applied)
    marks_found = marks.of_columns(model, known)
    columns = [bans.Column(column.name, column.type) for column in info.inputs]
    found = Facts(
        model=model,
        version=version,
        jurisdictions=file.use.jurisdictions if file else [],
        purpose=file.purpose if file else "",
        purposes=file.use.purposes if file else None,
        scoring=file.use.scoring if file else None,
        tier=file.tier if file else None,
        journaling=endpoints.journal_modes(tx, model) or None,
        governed=bool(file and file.approval),
        authors=_authors(tx, info, applied, card, stored, force),
        model_file_digest=applied.digest if applied else "",
        features=bans.judge(columns, file, marks_found, known, force, bans.unconditional(force)),
        upstream=upstream.facts_of(tx, [marks_found[name] for name, _ in columns if name in marks_found], known),
        card=CardFact(revision=card.revision, digest=card.digest, missing=card.missing),
        baseline=_baseline(info, stored),
        artifact=_artifact(info, checked),
        approval=_approval(tx, info, applied, stored) if released else None,
        contents=_contents(tx, info),
        proxies=_proxies(tx, info),
        **_provenance(tx, info),
    )
    if all(ban.condition is None for _, ban in force.bans()):
        return found
    counting = bans.counting(force, found)
    return msgspec.structs.replace(found, features=bans.judge(columns, file, marks_found, known, force, counting))


def approved_change(tx: Transaction, model: str, version: int) -> changes.StoredChange | None:
    """The change that approved a version, the latest if it was approved again; None when none did."""
    found = changes.search(tx, state="approved", model=model, version=version, kind="approve", limit=1)
    return found[0] if found else None


def features(tx: Transaction, info: ModelVersionInfo, force: InForce) -> list[FeatureFact]:
    """The version's input columns, each with what the model's file declares about it and whether it is forbidden."""
    return gather(tx, info.name, info.version, None, force).features or []


def subject(facts: Facts, policy: str) -> Subject:
    """The digests that a signature binds to. An empty one is something that is not there."""
    return Subject(
        artifact=facts.artifact.digest if facts.artifact else "",
        card=facts.card.digest if facts.card else "",
        profile=facts.baseline.digest if facts.baseline else "",
        model_file=facts.model_file_digest,
        policy=policy,
        facts=digest_of(facts),
    )


def _profile(stored: StoredProfile | None) -> Profile | None:
    return stored.profile if stored else None


def _approval(
    tx: Transaction, info: ModelVersionInfo, applied: AppliedFile | None, stored: StoredProfile | None
) -> ApprovalFact:
    subject = changes.approved_subject(tx, info.name, info.version)
    return ApprovalFact(
        required=bool(applied and applied.file.approval),
        state=info.state,
        artifact_unchanged=bool(subject and subject.artifact and subject.artifact == info.digest),
        baseline_unchanged=bool(subject and subject.profile == (stored.digest if stored else "")),
    )


def _proxies(tx: Transaction, info: ModelVersionInfo) -> list[ProxyFact] | None:
    """The newest proxy test of each attribute; None when none was made."""
    tests = proxy_tests.newest(tx, info.name, info.version)
    return [
        ProxyFact(
            attribute=test.attribute,
            auc=test.auc,
            low=test.low,
            high=test.high,
            rows=test.rows,
            strongest=test.strongest,
            digest=test.digest,
        )
        for test in tests
    ] or None


def _authors(
    tx: Transaction,
    info: ModelVersionInfo,
    applied: AppliedFile | None,
    card: CardInfo,
    stored: StoredProfile | None,
    force: InForce,
) -> list[str]:
    """Who trained the version, registered it, made its evidence or the policies that it is judged by.

    They may not sign for it.
    """
    trained = runs.info(tx, info.run_id) if info.run_id else None
    names = {info.user_id, card.edited_by, trained.user_id if trained else ""}
    names |= {policy.published_by for policy in force.policies}
    if applied:
        names.add(applied.applied_by)
    if stored:
        names.add(stored.recorded_by)
    return sorted(names - {""})


def _baseline(info: ModelVersionInfo, stored: StoredProfile | None) -> BaselineFact | None:
    if stored is None:
        return None
    profile, judged, measured = stored.profile, stored.profile.judged, stored.profile.names()
    return BaselineFact(
        digest=stored.digest,
        rows=profile.rows,
        columns_missing=[column.name for column in info.inputs if column.name not in measured],
        has_scores=profile.score is not None,
        judged_rows=judged.rows if judged else None,
        roc_auc=judged.roc_auc if judged else None,
        roc_auc_low=judged.roc_auc_low if judged else None,
        roc_auc_high=judged.roc_auc_high if judged else None,
        brier=judged.brier if judged else None,
        positives=judged.positives if judged else None,
        value_per_row=judged.value_per_row if judged else None,
    )


def _provenance(tx: Transaction, info: ModelVersionInfo) -> dict[str, Any]:
    """Code, environment, data and seed, each None unless a client told of it."""
    found = provenance.of_version(tx, info)
    code, environment = found.code, found.environment
    packages = environment.packages
    return {
        "code": None
        if code == Code()
        else CodeFact(**{name: getattr(code, name) for name in CodeFact.__struct_fields__}),
        "environment": None
        if environment == Environment()
        else EnvironmentFact(
            locked=environment.is_locked,
            python=environment.python,
            packages=None if packages is None else {package.name: package.version for package in packages},
            packages_digest=environment.packages_digest,
        ),
        "data": [DataFact(name=one.name, use=one.use, digest=one.digest, sha256=one.sha256) for one in found.data]
        or None,
        "seed": found.seeds.value,
    }


def _contents(tx: Transaction, info: ModelVersionInfo) -> ContentsFact | None:
    found = contents.of_version(tx, info)
    if found is None:
        return None
    return ContentsFact(
        runs_code=found.runs_code,
        pickles=[file.path for file in found.files if file.kind == "pickle"],
        code=[file.path for file in found.files if file.kind == "code"],
        flagged=contents.flagged(found),
        unread=[file.path for file in found.files if file.scan.state != "scanned"],
    )


def _artifact(info: ModelVersionInfo, checked: BytesChecked | None) -> ArtifactFact | None:
    if info.digest is None:
        return None
    ours = checked if checked and checked.digest == info.digest else None
    return ArtifactFact(
        digest=info.digest,
        file_count=len(info.files),
        intact=not ours.problems if ours else None,
        problems=ours.problems if ours else [],
    )
