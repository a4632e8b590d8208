"""SEAT's files: all that the authors publish are read, and what is none is refused by name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import published
import pytest

from pipeline.adapters import seat
from pipeline.errors import InputError
from pipeline.measure import association


def test_every_published_test_is_read_whole() -> None:
    """50 tests; sent-weat6 has 8 sentences for each of the 8 names of WEAT 6."""
    folder = published.find_shared("seat")
    tests = {test.name: test for test in seat.read_tests(folder)}
    assert len(tests) == len(list(folder.glob("*.jsonl"))) >= 45
    (men, sentences), (women, _) = tests["SEAT sent-weat6"].targets
    assert (men, women, len(sentences)) == ("MaleNames", "FemaleNames", 64)
    assert sentences[0] == "This is John."
    assert len(tests["SEAT sent-weat6"].sentences) == 64 + 64 + 101 + 112


def test_the_effect_of_the_sentences_is_that_of_the_papers_formulas() -> None:
    """Equations 1 to 3 by loops over sentences, on vectors drawn for each sentence."""
    folder = published.find_shared("seat")
    (test,) = (t for t in seat.read_tests(folder) if t.name == "SEAT sent-weat9")
    draw = np.random.default_rng(1)
    vectors = {text: draw.normal(size=8) for text in test.sentences}

    def similar(text: str, other: str) -> float:
        u, v = vectors[text], vectors[other]
        return float(u @ v / np.sqrt(u @ u * (v @ v)))

    (_, x), (_, y) = test.targets
    (_, a), (_, b) = test.attributes
    s = {
        t: np.mean([similar(t, o) for o in a]) - np.mean([similar(t, o) for o in b])
        for t in (*x, *y)
    }
    gap = np.mean([s[t] for t in x]) - np.mean([s[t] for t in y])
    expected = gap / np.std([s[t] for t in (*x, *y)], ddof=1)
    sets = association.WordSets(test.name, test.targets, test.attributes)
    found = association.associate(sets, vectors, 0.95, seed=1)
    assert found.effect.point == pytest.approx(expected)
    assert found.effect.n == len(x) + len(y) == 36
    less = {text: vector for text, vector in vectors.items() if text != x[0]}
    refused = association.associate(sets, less, 0.95, seed=1)
    assert refused.effect.point is None
    assert x[0] in refused.effect.note


def write(folder: Path, **changes: Any) -> Path:
    sets = {
        key: {"category": key, "examples": [f"This is {key}.", f"That is {key}."]}
        for key in ("targ1", "targ2", "attr1", "attr2")
    }
    (folder / "one.jsonl").write_text(json.dumps(sets | changes))
    return folder


def test_a_file_is_a_test_of_its_name(tmp_path: Path) -> None:
    (test,) = seat.read_tests(write(tmp_path))
    assert test.name == "SEAT one"
    assert test.targets[0] == ("targ1", ("This is targ1.", "That is targ1."))
    assert seat.read_tests(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"attr2": None}, r"one\.jsonl: lacks"),
        ({"attr2": {"category": "b"}}, r"one\.jsonl: lacks 'examples'"),
        ({"attr2": {"category": "b", "examples": ["One."]}}, r"one\.jsonl: b needs two"),
        ({"attr2": {"category": "b", "examples": ["One.", ""]}}, r"one\.jsonl: b needs two"),
    ],
)
def test_what_the_authors_do_not_publish_is_named(tmp_path: Path, changes: Any, named: str) -> None:
    with pytest.raises(InputError, match=named):
        seat.read_tests(write(tmp_path, **changes))
