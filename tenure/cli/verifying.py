"""`tenure audit verify-signature`: signatures verified offline, with public keys only."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import click
import msgspec

from tenure.cli.asking import show
from tenure.errors import InvalidInput
from tenure.records.routing import PinnedFile

AT_ONCE = 1024 * 1024


@click.command("verify-signature")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--public-key",
    "keys",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A public key of the server, in PEM; repeat it after a rotation.",
)
@click.option(
    "--version-folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The version's files: their digest must be the one that was signed.",
)
@click.option(
    "--manifest",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The same, by a list of the files with their SHA-256.",
)
@click.option("--quorum", is_flag=True, help="Every change must have all the signatures that it asks for.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, for scripts.")
def command(
    file: Path,
    keys: tuple[Path, ...],
    version_folder: Path | None,
    manifest: Path | None,
    quorum: bool,
    as_json: bool,
) -> None:
    """Verify signatures without any server; exit status 1 when something does not hold.

    FILE is an envelope, a list of them, or the evidence of a version (GET /api/v1/models/…/versions/…/evidence).
    """
    from tenure.manage import verification

    files = None
    if version_folder is not None and manifest is not None:
        raise InvalidInput("Give either --version-folder or --manifest, not both.")
    if version_folder is not None:
        files = files_of(version_folder)
    elif manifest is not None:
        files = verification.read_manifest(manifest.read_bytes())
    pems = [key.read_text() for key in keys]
    found = verification.verify(file.read_bytes(), pems, manifest=files, quorum=quorum)
    for statement in [] if as_json else found.statements:
        show(statement, False, ["", ""], statement, f"{dict(statement)['meaning'].capitalize()}")
        click.echo()
    rows = [("holds" if one.holds else "DOES NOT HOLD", one.what, one.says) for one in found.findings]
    title = "Everything holds" if found.holds else "Something does not hold"
    show(msgspec.to_builtins(found), as_json, ["result", "what", ""], rows, title)
    sys.exit(0 if found.holds else 1)


def files_of(folder: Path) -> list[PinnedFile]:
    """Every file below a folder with its SHA-256, as a version's manifest names them. Raises InvalidInput for links."""
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise InvalidInput(f"A version's folder holds files, no links. Got {path}.", where="--version-folder")
        if path.is_file():
            size, digest = _digest(path)
            files.append(PinnedFile(path=path.relative_to(folder).as_posix(), size_bytes=size, sha256=digest))
    return files


def _digest(path: Path) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(AT_ONCE):
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()
