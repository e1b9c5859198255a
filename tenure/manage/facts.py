"""Gathering what is known about a version, in two steps.

`check_bytes` reads and hashes the version's files and may take long: it is called before any write transaction.
`gather` then puts all facts together inside the transaction that decides on them.
"""

from __future__ import annotations

from typing import Any

from tenure.build import model_versions, provenance
from tenure.errors import NotFound
from tenure.manage import cards, contents
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
)
from tenure.records.model_files import AppliedFile, Feature, ModelFile
from tenure.records.provenance import Code, Environment
from tenure.records.registry import ModelVersionInfo
from tenure.store import changes, model_files, profiles, runs
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


def gather(tx: Transaction, model: str, version: int, checked: BytesChecked | None) -> Facts:
    """What a version is judged by when it is to be approved."""
    info = model_versions.get(tx, model, version)
    applied = model_files.current(tx, model)
    stored = profiles.get(tx, model, version)
    card = cards.current(tx, model, version)
    return Facts(
        model=model,
        version=version,
        jurisdictions=applied.file.jurisdictions if applied else [],
        purpose=applied.file.purpose if applied else "",
        authors=_authors(tx, info, applied, card, stored),
        model_file_digest=applied.digest if applied else "",
        features=features(info, applied.file if applied else None),
        card=CardFact(revision=card.revision, digest=card.digest, missing=card.missing),
        baseline=_baseline(info, stored),
        artifact=_artifact(info, checked),
        contents=_contents(tx, info),
        **_provenance(tx, info),
    )


def gather_for_release(tx: Transaction, model: str, version: int) -> Facts:
    """What a version is judged by when it is to be released: the same, and how it stands since its approval."""
    info = model_versions.get(tx, model, version)
    applied = model_files.current(tx, model)
    approved = approved_change(tx, model, version)
    subject = approved.change.subject if approved else None
    approval = ApprovalFact(
        required=bool(applied and applied.file.approval),
        state=info.state,
        artifact_unchanged=bool(subject and subject.artifact and subject.artifact == info.digest),
        baseline_unchanged=bool(subject and subject.profile == (profiles.digest(tx, model, version) or "")),
    )
    return Facts(
        model=model,
        version=version,
        jurisdictions=applied.file.jurisdictions if applied else [],
        purpose=applied.file.purpose if applied else "",
        authors=[],
        model_file_digest=applied.digest if applied else "",
        features=features(info, applied.file if applied else None),
        card=None,
        baseline=None,
        artifact=None,
        approval=approval,
        contents=_contents(tx, info),
        **_provenance(tx, info),
    )


def approved_change(tx: Transaction, model: str, version: int) -> changes.StoredChange | None:
    """The change that approved a version, the latest if it was approved again; None when none did."""
    found = changes.search(tx, state="approved", model=model, version=version, kind="approve", limit=1)
    return found[0] if found else None


def features(info: ModelVersionInfo, file: ModelFile | None) -> list[FeatureFact]:
    """The version's input columns, each with what the model's file declares about it.

    A ban goes by semantic type: a column of the same semantic type as a forbidden one is forbidden too, whatever its
    name. A ban for some purposes counts for every purpose, since a file's purpose is free text.
    """
    declared = file.features if file else {}
    jurisdictions = file.jurisdictions if file else []
    bans = {
        feature.semantic: because
        for feature in declared.values()
        if feature.semantic and (because := _ban(feature, jurisdictions))
    }
    found = []
    for column in info.inputs:
        feature = declared.get(column.name)
        because = (_ban(feature, jurisdictions) or bans.get(feature.semantic or "", "")) if feature else ""
        found.append(
            FeatureFact(
                name=column.name,
                type=column.type,
                declared=feature is not None,
                available=feature.available if feature else None,
                kind=feature.kind if feature else None,
                semantic=feature.semantic if feature else None,
                source=feature.source if feature else None,
                forbidden=bool(because) if feature else None,
                forbidden_because=because,
            )
        )
    return found


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


def _ban(feature: Feature, jurisdictions: list[str]) -> str:
    """Why a feature is forbidden where the model is used; empty when it is not. A file without jurisdictions is used
    everywhere."""
    ban = feature.forbidden
    if ban is None:
        return ""
    reaches = not ban.within or not jurisdictions or set(ban.within) & set(jurisdictions)
    return ban.reason if reaches else ""


def _authors(
    tx: Transaction,
    info: ModelVersionInfo,
    applied: AppliedFile | None,
    card: CardInfo,
    stored: StoredProfile | None,
) -> list[str]:
    """Who trained the version, registered it or made its evidence, and so may not sign for it."""
    trained = runs.get_many(tx, [info.run_id]) if info.run_id else []
    names = {info.user_id, card.edited_by, *(run.info.user_id for run in trained)}
    if applied:
        names.add(applied.applied_by)
    if stored:
        names.add(stored.recorded_by)
    return sorted(names - {""})


def _baseline(info: ModelVersionInfo, stored: StoredProfile | None) -> BaselineFact | None:
    if stored is None:
        return None
    profile, judged = stored.profile, stored.profile.judged
    return BaselineFact(
        digest=stored.digest,
        rows=profile.rows,
        columns_missing=[column.name for column in info.inputs if column.name not in profile.columns],
        has_scores=profile.score is not None,
        judged_rows=judged.rows if judged else None,
        roc_auc=judged.roc_auc if judged else None,
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
