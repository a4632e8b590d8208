"""WinoBias (Zhao et al. 2018) as its authors publish it: data/benchmarks/winobias/*.txt."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.adapters.sample import draw
from pipeline.errors import InputError

TASKS = ("type1", "type2")
PARTS = ("dev", "test")
# His form and hers of one grammatical case: ``her`` is the counterpart of ``him`` and of ``his``.
_FORMS = {("he", "she"), ("him", "her"), ("his", "her"), ("his", "hers"), ("himself", "herself")}
_PRONOUNS = {form for pair in _FORMS for form in pair}
_NUMBER = re.compile(r"^\d+ ")
_BRACKETS = re.compile(r"\[([^\]]*)\]")
_ARTICLE = re.compile(r"^(the|an?)\s+")
_MEND = "download the authors' files again"


@dataclass(frozen=True)
class Sentence:
    """A sentence without its pronoun, with the male and the female form that fit there."""

    before: str  # up to the pronoun
    his: str
    hers: str
    after: str
    occupation: str  # whom the pronoun refers to
    male: bool  # whether that occupation is stereotyped as men's
    task: str  # one of TASKS


def paths(folder: Path) -> list[Path]:
    """Return the files that are read."""
    sides = ("anti", "pro")
    return [_path(folder, *names) for names in itertools.product(sides, TASKS, PARTS)]


def read_sentences(folder: Path, limit: int | None) -> tuple[list[Sentence], int]:
    """Read the sentences; if there are more than ``limit``, a sample by hash.

    The second value is the number of pairs left out because their two versions differ in more than
    one pronoun of one grammatical case.

    Raises:
        InputError: where the two versions differ in their number of lines, or no pair can be used.
    """
    found: list[Sentence] = []
    pairs = 0
    for task in TASKS:
        for part in PARTS:
            pro, anti = (_lines(_path(folder, side, task, part)) for side in ("pro", "anti"))
            if len(pro) != len(anti):
                where = _path(folder, "anti", task, part)
                raise InputError(f"{where}: {len(anti)} lines to the other's {len(pro)}; {_MEND}")
            pairs += len(pro)
            parsed = [_parse(*lines, task) for lines in zip(pro, anti, strict=True)]
            found += [sentence for sentence in parsed if sentence]
    if not found:
        raise InputError(f"{folder}: holds no pair of sentences that differ in a pronoun; {_MEND}")
    return draw(found, limit, lambda each: f"{each.before}_{each.after}"), pairs - len(found)


def _path(folder: Path, side: str, task: str, part: str) -> Path:
    return folder / f"{side}_stereotyped_{task}.{part}.txt"


def _lines(path: Path) -> Sequence[str]:
    try:
        return [_NUMBER.sub("", line) for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; {_MEND}") from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: not found; {_MEND}") from error


def _parse(pro: str, anti: str, task: str) -> Sentence | None:
    """Return the sentence of a pair of lines; None if they differ in more than one pronoun."""
    bracketed = [list(_BRACKETS.finditer(line)) for line in (pro, anti)]
    places = [[m for m in marks if m[1].lower() in _PRONOUNS] for marks in bracketed]
    others = [m[1] for m in bracketed[0] if m[1].lower() not in _PRONOUNS]
    if [len(marks) for marks in places] != [1, 1] or len(others) != 1:
        return None
    (mark,), (counterpart,) = places
    form, other = mark[1].lower(), counterpart[1].lower()
    before, after = pro[: mark.start()], pro[mark.end() :]
    male = (form, other) in _FORMS
    same = (before, after) == (anti[: counterpart.start()], anti[counterpart.end() :])
    if not same or not (male or (other, form) in _FORMS):
        return None
    his, hers = (form, other) if male else (other, form)
    occupation = _ARTICLE.sub("", others[0].strip().lower())
    return Sentence(_plain(before), his, hers, _plain(after), occupation, male, task)


def _plain(text: str) -> str:
    return _BRACKETS.sub(r"\1", text)
