"""Moving the registry in: models, their versions with the place of their files, and aliases last."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec

from tenure.errors import TenureError, Unavailable
from tenure.imports.copying import Copier
from tenure.imports.plan import Story
from tenure.imports.source import ModelRead, Owner, Source, digest_of
from tenure.imports.target import Target
from tenure.records.imports import AliasSent, Counts, ItemDone, Known, Said, VersionSent

APART = "mlflow-artifacts:/registered"


class Registrar:
    """`roots`: run or logged model → where its files lie at the source."""

    def __init__(self, source: Source, target: Target, story: Story, copier: Copier, roots: Mapping[str, str]) -> None:
        self._source = source
        self._target = target
        self._story = story
        self._copier = copier
        self._roots = roots

    def run(self) -> None:
        models = self._chosen_models()
        self._story.step("registered models", len(models), 0)
        taken = self._target.registered_models([one.sent for one in models]) if models else None
        for refused in taken.refused if taken else ():
            self._story.told.refused.append((f"registered model {refused.source_id!r}", refused.why))
        known = self._target.known("model_version")
        for model in models:
            name = model.sent.name
            if taken and name in taken.taken:
                for version in model.versions:
                    self._version(version, known)
                self._aliases(model)
                counts = Counts(tags=len(model.sent.tags), aliases=len(model.aliases))
                self._story.told.counts["registered_model"][name] = counts
                said = Said(digest=digest_of(model.sent, model.aliases), counts=counts)
                self._target.done("registered_model", [ItemDone(source_id=name, said=said)])
            self._story.step("registered models", None, 1)

    def _chosen_models(self) -> list[ModelRead]:
        """Every model, or with chosen experiments those versions that came from them."""
        models = self._source.registered_models()
        if not self._story.choice.names:
            return models
        runs, logged = self._story.told.counts["run"], self._story.told.counts["logged_model"]
        found = []
        for model in models:
            versions = [one for one in model.versions if one.run_id in runs or one.model_id in logged]
            if versions:
                numbers = {one.version for one in versions}
                aliases = {alias: number for alias, number in model.aliases.items() if number in numbers}
                found.append(ModelRead(model.sent, aliases, versions))
        return found

    def _version(self, version: VersionSent, known: Mapping[str, Known]) -> None:
        name = f"{version.name}/{version.version}"
        digest = digest_of(version)
        before = known.get(name)
        if before is not None and self._story.settled(before, digest):
            if not version.deleted:
                self._story.skip("model_version", before)
            return
        sent, files = self._placed(version)
        try:
            self._target.version(sent)
        except Unavailable:
            raise
        except TenureError as problem:
            self._story.told.refused.append((f"version {name}", problem.message))
            return
        counts = Counts(tags=len(version.tags), files=len(files or {}), bytes=sum((files or {}).values()))
        if not version.deleted:
            self._story.told.counts["model_version"][name] = counts
        said = Said(digest=digest, counts=counts, copied=files is not None)
        self._target.done("model_version", [ItemDone(source_id=name, said=said)])

    def _placed(self, version: VersionSent) -> tuple[VersionSent, dict[str, int] | None]:
        """A version with the place of its files after the move, and the files that were copied for it alone.

        What lies below a run or a logged model came with it, and lies wherever that lies now.
        """
        location = version.storage_location
        if version.deleted or not location:
            return version, {}
        owners: tuple[tuple[Literal["run", "logged_model"], str | None], ...]
        owners = (("logged_model", version.model_id), ("run", version.run_id))
        for kind, owner in owners:
            root = self._roots.get(owner) if owner else None
            if root and f"{location}/".startswith(f"{root}/"):
                path = location[len(root) :].strip("/")
                return msgspec.structs.replace(version, below=kind, path=path), {}
        if not self._story.choice.artifacts:
            return version, {}
        here = apart(version.name, version.version)
        files = self._copier.copy(Owner("model_version", f"{version.name}/{version.version}"), location, here)
        return msgspec.structs.replace(version, storage_location=here) if files else version, files

    def _aliases(self, model: ModelRead) -> None:
        for alias, number in sorted(model.aliases.items()):
            try:
                self._target.alias(AliasSent(name=model.sent.name, alias=alias, version=number))
            except Unavailable:
                raise
            except TenureError as problem:
                self._story.told.refused.append((f"alias {alias!r} of {model.sent.name!r}", problem.message))


def apart(name: str, version: int) -> str:
    """Where files lie here that belong to a version and to no run or logged model."""
    return f"{APART}/{hashlib.sha256(name.encode()).hexdigest()[:32]}/{version}"
