"""Verifying signatures without the server: public keys, envelopes and, where they are at hand, what was signed. Pure.

What is looked at: that each envelope was signed by one of the keys, that the files are those whose digest was signed,
that the evidence beside them is what the digests say, and that enough people signed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from tenure.build import manifests
from tenure.errors import InvalidInput
from tenure.manage import decisions, lifecycle, signatures
from tenure.records.changes import Change, SignedStatement, StepAsked
from tenure.records.digests import digest_of
from tenure.records.evidence import EVIDENCE, Evidence, Finding, Verified
from tenure.records.facts import Facts
from tenure.records.model_files import Approval
from tenure.records.routing import PinnedFile

Signed = list[SignedStatement]


def verify(
    raw: bytes, public_pems: Sequence[str], *, manifest: list[PinnedFile] | None = None, quorum: bool = False
) -> Verified:
    """Verify an envelope, a list of envelopes, or a version's evidence.

    `manifest` is what the artifact's files are now. With `quorum` every change must have the signatures it asks for.
    Raises InvalidInput for what is none of the three.
    """
    envelopes, evidence = read(raw)
    statements, findings = _signatures(envelopes, public_pems)
    findings += [_of_itself(one) for one in statements if not _agrees(one)]
    if not envelopes:
        findings.append(Finding(what="signatures", holds=False, says="there is none"))
    if manifest is not None:
        findings += _files(statements, manifest, evidence)
    if evidence is not None:
        findings += _evidence(statements, evidence)
    if quorum:
        findings += _quorums(statements, evidence)
    words = [signatures.in_words(statement) for statement in statements]
    return Verified(holds=all(finding.holds for finding in findings), statements=words, findings=findings)


def read(raw: bytes) -> tuple[list[bytes], Evidence | None]:
    """The envelopes in a file, and the evidence when it is that."""
    try:
        plain = json.loads(raw)
    except ValueError:
        raise InvalidInput("The file must be JSON: an envelope, a list of them, or a version's evidence.") from None
    if isinstance(plain, list):
        return [json.dumps(one).encode() for one in plain], None
    if not isinstance(plain, dict) or plain.get("format") != EVIDENCE:
        return [raw], None
    try:
        evidence = msgspec.convert(plain, Evidence)
    except msgspec.ValidationError as problem:
        raise InvalidInput(f"The evidence cannot be read: {problem}.") from None
    return [json.dumps(one).encode() for many in evidence.envelopes.values() for one in many], evidence


def read_manifest(raw: bytes) -> list[PinnedFile]:
    """A manifest: JSON with path, size_bytes and sha256 of each file, or the lines `<sha256>  <size>  <path>`."""
    try:
        if raw.lstrip()[:1] == b"[":
            return msgspec.json.decode(raw, type=list[PinnedFile])
        rows = [line.split("  ", 2) for line in raw.decode().splitlines() if line]
        return [PinnedFile(sha256=sha256, size_bytes=int(size), path=path) for sha256, size, path in rows]
    except (msgspec.MsgspecError, ValueError):
        raise InvalidInput(
            "A manifest must be a JSON list of {path, size_bytes, sha256}, or lines '<sha256>  <size>  <path>'."
        ) from None


def _signatures(envelopes: list[bytes], public_pems: Sequence[str]) -> tuple[Signed, list[Finding]]:
    statements, findings = [], []
    for number, envelope in enumerate(envelopes, start=1):
        try:
            statement = signatures.verify(envelope, *public_pems)
        except InvalidInput as problem:
            findings.append(Finding(what=f"signature {number}", holds=False, says=problem.message))
            continue
        statements.append(statement)
        says = f"holds under the key {signatures.key_id(envelope)[:16]}…"
        findings.append(Finding(what=f"signature of {statement.printed_name}", holds=True, says=says))
    return statements, findings


def _agrees(statement: SignedStatement) -> bool:
    """Whether the decisions of a statement are those of its digest; one that is older has neither."""
    bound = statement.subject.decisions
    told = bool(statement.decisions or statement.accepted)
    return bound == decisions.digest(statement.kind, statement.decisions, statement.accepted) if bound else not told


def _of_itself(statement: SignedStatement) -> Finding:
    says = f"those that {statement.person} signed are not those of the digest beside them"
    return Finding(what=f"decisions of {statement.kind} {statement.change_id}", holds=False, says=says)


def _files(statements: Signed, manifest: list[PinnedFile], evidence: Evidence | None) -> list[Finding]:
    """Whether the files are those that were signed; where the signed manifest is at hand, which ones are not."""
    found = manifests.digest(manifest) if manifest else ""
    signed = {statement.subject.artifact for statement in statements if statement.kind != "revise"}
    if signed == {found}:
        return [Finding(what="files", holds=True, says=f"{len(manifest)} files, as they were signed: {found}")]
    other = ", ".join(sorted(signed)) or "nothing"
    says = f"the files give {found or 'no digest'}, and {other} was signed"
    if evidence is not None and manifests.digest(evidence.manifest) in signed:
        says += f". {_differences(evidence.manifest, manifest)}"
    return [Finding(what="files", holds=False, says=says)]


def _differences(signed: list[PinnedFile], found: list[PinnedFile]) -> str:
    before, now = ({file.path: file.sha256 for file in files} for files in (signed, found))
    lines = [f"{path} is missing" for path in before if path not in now]
    lines += [f"{path} was added" for path in now if path not in before]
    lines += [f"{path} has other content" for path in before if path in now and before[path] != now[path]]
    return "; ".join(lines)


def _evidence(statements: Signed, evidence: Evidence) -> list[Finding]:
    """Whether the manifest is what all signed, the rest what those signed who approved last, and the model's file what
    others signed for when it was loosened."""
    about = (evidence.version.name, evidence.version.version)
    ours = [one for one in statements if one.kind != "revise"]
    others = [one for one in ours if (one.model, one.version) != about]
    others += [one for one in statements if one.kind == "revise" and one.model != evidence.version.name]
    found = manifests.digest(evidence.manifest) if evidence.manifest else ""
    artifacts = sorted({statement.subject.artifact for statement in ours})
    return [
        *(_of_another(one) for one in others),
        *(_compared("manifest", artifact, [found]) for artifact in artifacts),
        *(_decided(change, one) for change in evidence.changes for one in statements if _goes(change, one)),
        *(
            _revised(change, one, evidence)
            for change in evidence.revisions
            for one in statements
            if _is_of(change, one)
        ),
        *_approved_on(_latest_approval(statements, evidence), evidence),
    ]


def _of_another(statement: SignedStatement) -> Finding:
    says = f"{statement.person} signed for {statement.model} {statement.version}"
    return Finding(what="version", holds=False, says=says)


def _goes(change: Change, statement: SignedStatement) -> bool:
    """Whether a statement is about this change, and the change takes a version away."""
    return statement.change_id == change.change_id and change.kind in decisions.KINDS


def _is_of(change: Change, statement: SignedStatement) -> bool:
    return statement.change_id == change.change_id


def _revised(change: Change, statement: SignedStatement, evidence: Evidence) -> Finding:
    """Whether a revision of the model's file is the one that was signed, as far as the file is at hand."""
    what, file = f"revision of the file, {change.change_id}", evidence.model_file
    if statement.subject != change.subject or statement.revising != change.revising:
        return Finding(what=what, holds=False, says=f"is not what {statement.person} signed; it was changed since")
    stands = file is not None and change.revising is not None and file.revision == change.revising.standing + 1
    found = digest_of(file.file) if file is not None and stands else statement.subject.revised
    return _compared(what, statement.subject.revised, [found])


def _decided(change: Change, statement: SignedStatement) -> Finding:
    """Whether what is said to be decided about the dependents of a version that went is what was signed."""
    what, count = f"decisions of {change.kind} {change.change_id}", len(change.decisions)
    found = decisions.digest(change.kind, change.decisions, change.accepted)
    if statement.subject.decisions == found or not (statement.subject.decisions or count):
        return Finding(what=what, holds=True, says=f"{count}, as {statement.person} signed")
    if not statement.subject.decisions:
        return Finding(what=what, holds=False, says=f"what {statement.person} signed does not cover them")
    return _compared(what, statement.subject.decisions, [found])


def _approved_on(signed: Signed, evidence: Evidence) -> list[Finding]:
    """Whether card, model's file and facts are those of the latest approval, and no signer of it made the version."""
    if not signed:
        return []
    subject = signed[0].subject
    file = digest_of(evidence.model_file.file) if evidence.model_file else ""
    facts = {_facts_digest(one.facts): one.facts for one in evidence.gate_evaluations}
    findings = [
        _compared("card", subject.card, [digest_of(evidence.card.card)]),
        _compared("model's file", subject.model_file, [file]),
        _compared("facts of the gate", subject.facts, list(facts)),
    ]
    authors = set(facts.get(subject.facts, {}).get("authors", []))
    both = sorted(authors & {one.person for one in signed if one.meaning != "author"})
    if both:
        findings.append(Finding(what="independence", holds=False, says=f"{', '.join(both)} made what they signed for"))
    return findings


def _latest_approval(statements: Signed, evidence: Evidence) -> Signed:
    approved = [one.change_id for one in evidence.changes if (one.kind, one.state) == ("approve", "approved")]
    return [statement for statement in statements if approved and statement.change_id == approved[-1]]


def _facts_digest(facts: dict[str, Any]) -> str:
    """The digest of a gate's facts; empty when they are none that this release knows."""
    try:
        return digest_of(msgspec.convert(facts, Facts))
    except msgspec.ValidationError:
        return ""


def _compared(what: str, signed: str, found: Sequence[str]) -> Finding:
    if signed in found:
        return Finding(what=what, holds=True, says=f"as it was signed: {signed or 'none'}")
    return Finding(what=what, holds=False, says=f"is not what was signed, {signed or 'none'}; it was changed since")


def _quorums(statements: Signed, evidence: Evidence | None) -> list[Finding]:
    """Each change by itself; of evidence, those that are said to be approved."""
    if evidence is None:
        changes = list(dict.fromkeys(statement.change_id for statement in statements))
    else:
        changes = [
            change.change_id
            for change in [*evidence.changes, *evidence.revisions]
            if change.state == "approved" and change.steps and change.approved_under is None
        ]
    return [_quorum(change, [one for one in statements if one.change_id == change], evidence) for change in changes]


def _quorum(change_id: str, signed: Signed, evidence: Evidence | None) -> Finding:
    lacking = _lacks(signed, evidence)
    what = f"quorum of {signed[0].kind if signed else 'change'} {change_id}"
    if lacking:
        return Finding(what=what, holds=False, says=lacking)
    people = ", ".join(f"{one.printed_name} as {one.role}" for one in signed if one.meaning != "author")
    return Finding(what=what, holds=True, says=f"every step is signed: {people}")


def _lacks(signed: Signed, evidence: Evidence | None) -> str:
    """Why the signatures do not carry their change; empty when they do."""
    if not signed or not signed[0].steps:
        return "no signature says how many are needed, so they cannot be counted"
    first = signed[0]
    names = [one.person for one in signed]
    twice = sorted({name for name in names if names.count(name) > 1})
    rejected = [one.person for one in signed if one.meaning == "rejection"]
    short = [told for step in first.steps if (told := _short(step, signed))]
    reasons = {
        "the signatures are not for the same thing: their digests, target or steps differ": any(
            _bound(one) != _bound(first) for one in signed
        ),
        f"rejected by {', '.join(rejected)}": rejected,
        f"{', '.join(twice)} signed more than once": twice,
        "the steps that were signed are not those of the model's file that was signed with them": evidence is not None
        and not _as_declared(first, evidence),
        "; ".join(short): short,
    }
    return "; ".join(reason for reason, met in reasons.items() if met)


def _short(step: StepAsked, signed: Signed) -> str:
    """How many of a step's signatures there are; empty when there are enough."""
    people = {
        one.person
        for one in signed
        if one.role in step.roles
        and one.meaning == lifecycle.MEANS[one.kind]
        and (not step.people or one.person in step.people)
    }
    return f"{len(people)} of {step.signatures} signatures as {step.role}" if len(people) < step.signatures else ""


def _bound(statement: SignedStatement) -> tuple[object, ...]:
    about = (statement.kind, statement.model, statement.version, statement.subject, statement.target)
    return (*about, statement.steps, statement.decisions, statement.accepted, statement.revising)


def _as_declared(statement: SignedStatement, evidence: Evidence) -> bool:
    """Whether the steps are those that the model's file declares, where the file at hand is the one that was signed."""
    if evidence.model_file is None or digest_of(evidence.model_file.file) != statement.subject.model_file:
        return True
    file = evidence.model_file.file
    kinds: dict[str, Approval | None] = {
        "approve": file.approval,
        "register": file.registration,
        "deploy": file.deployment,
        "promote": file.promotion,
    }
    asked = [(step.roles, step.signatures, step.people) for step in statement.steps]
    if statement.kind == "revise":  # the steps of `approval`, and of what else is looser
        return file.approval is not None and _as_asked(file.approval) == asked[: len(file.approval.steps)]
    declared = kinds.get(statement.kind)
    if declared is None:
        return statement.kind in ("suspend", "retire")
    return _as_asked(declared) == asked


def _as_asked(declared: Approval) -> list[tuple[list[str], int, list[str]]]:
    return [([step.role], step.signatures, step.people) for step in declared.steps]
