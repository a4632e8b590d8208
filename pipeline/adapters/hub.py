"""Hugging Face datasets, from the hub or from a local folder or file, as rows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline import telemetry
from pipeline.errors import InputError, nearest
from pipeline.params import HubDataset

Row = dict[str, Any]

_BUILDERS = {".jsonl": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "text"}


def read(wanted: HubDataset) -> Iterator[Row]:
    """Yield rows with text, and with label and domain if ``wanted`` names their columns.

    A label that the dataset stores as a number, with a list of names, is yielded by its name: its
    numbers need not be those of `validate.labels`. A local path is read without the hub. No code
    of a dataset is run, as `datasets` no longer supports it.

    Raises:
        InputError: where the dataset cannot be loaded, or has no such column.
    """
    loaded = _load(wanted)
    columns = {"text": wanted.text, "label": wanted.label, "domain": wanted.domain}
    named = {ours: theirs for ours, theirs in columns.items() if theirs}
    for theirs in named.values():
        if theirs not in loaded.column_names:
            raise InputError(
                f"ingest: {wanted.path}: no column {theirs!r}{nearest(theirs, loaded.column_names)}"
                f"; its columns are {', '.join(loaded.column_names)}"
            )
    names = {ours: _names(loaded.features[theirs]) for ours, theirs in named.items()}
    for row in loaded:
        yield {ours: _named(row[theirs], names[ours]) for ours, theirs in named.items()}


def _names(feature: Any) -> Sequence[str]:
    """Return the class names of a column of numbered classes; of any other column none."""
    import datasets

    return feature.names or () if isinstance(feature, datasets.ClassLabel) else ()


def _named(value: Any, names: Sequence[str]) -> Any:
    """Return the name of a class; a value without one, such as -1 for no label, stays as it is."""
    return names[value] if names and value in range(len(names)) else value


def _load(wanted: HubDataset) -> Any:
    telemetry.switch_off()
    import datasets

    path = Path(wanted.path)
    arguments: dict[str, Any] = {"path": wanted.path, "name": wanted.name}
    if path.is_file():
        if path.suffix not in _BUILDERS:
            raise InputError(f"ingest: {path}: is none of {', '.join(_BUILDERS)}")
        arguments = {"path": _BUILDERS[path.suffix], "data_files": wanted.path}
    try:
        return datasets.load_dataset(**arguments, split=wanted.split, revision=wanted.revision)
    except (datasets.exceptions.DatasetsError, OSError, ValueError) as error:
        raise InputError(
            f"ingest: {wanted.path}: `datasets` cannot load split {wanted.split!r} ({error}); "
            "check path, name, split and revision in params.yaml, section ingest"
        ) from error
