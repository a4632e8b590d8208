"""SEAT (May et al. 2019) as its authors publish it: data/benchmarks/seat/*.jsonl, a test a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import InputError

Named = tuple[str, tuple[str, ...]]  # a set's name and its items
_MEND = "download the authors' file again"


@dataclass(frozen=True)
class SentenceTest:
    """Two targets and two attributes, each a set of sentences (or of single words)."""

    name: str
    targets: tuple[Named, Named]
    attributes: tuple[Named, Named]

    @property
    def sentences(self) -> tuple[str, ...]:
        """All sentences of the test."""
        return tuple(text for _, texts in (*self.targets, *self.attributes) for text in texts)


def paths(folder: Path) -> list[Path]:
    """Return the tests' files."""
    return sorted(folder.glob("*.jsonl"))


def read_tests(folder: Path) -> list[SentenceTest]:
    """Read every test of a folder.

    Raises:
        InputError: naming the file that is not what the authors publish.
    """
    return [_parse(files.read_json(path), path) for path in paths(folder)]


def _parse(raw: Any, path: Path) -> SentenceTest:
    try:
        x, y, a, b = (_named(raw[key], path) for key in ("targ1", "targ2", "attr1", "attr2"))
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: lacks {error}; {_MEND}") from error
    return SentenceTest(f"SEAT {path.stem}", (x, y), (a, b))


def _named(raw: Any, path: Path) -> Named:
    texts = raw["examples"]
    if len(texts) < 2 or not all(isinstance(text, str) and text.strip() for text in texts):
        raise InputError(f"{path}: {raw['category']} needs two sentences or more; {_MEND}")
    return str(raw["category"]), tuple(texts)
