"""Drift of labelled rows: false alarms under none, planted drift by its part, and what is new."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline import drift, params
from pipeline.drift import Labelled, Origin
from pipeline.params import DriftParams

ORIGIN = Origin(champion="3", champion_data_md5="old.dir", data_md5="new.dir")
WORDS = [f"w{number}" for number in range(60)]


@pytest.fixture(scope="module")
def asked() -> DriftParams:
    whole = params.load(Path(__file__).parents[1] / "params.yaml")
    return whole.drift.model_copy(update={"permutations": 99, "min_new_rows": 40})


def draw_rows(
    rng: np.random.Generator,
    n: int,
    *,
    words: Sequence[str] = WORDS,
    long: float = 12,
    ones: float = 0.5,
) -> Labelled:
    """Draw texts of Zipf's words, ``long`` of them on average; a share ``ones`` has label 1."""
    zipf = 1 / np.arange(1, len(words) + 1)
    texts = [
        " ".join(rng.choice(words, 1 + rng.poisson(long), p=zipf / zipf.sum())) for _ in range(n)
    ]
    ids = np.array([f"{number:016x}" for number in rng.integers(1 << 60, size=n)])
    labels = (rng.random(n) < ones).astype(np.int64)
    return Labelled(ids, np.array(texts, np.object_), labels)


VECTORS = {
    f"{kind}{number}": np.random.default_rng([ord(kind), number]).normal(size=8)
    for kind in "wv"
    for number in range(60)
}


def embed(texts: Sequence[str]) -> np.ndarray:
    """Return the mean of a fixed random vector a word, (n, 8)."""
    return np.stack([np.mean([VECTORS[word] for word in text.split()], axis=0) for text in texts])


def test_without_drift_at_most_six_in_a_hundred_questions_are_false_alarms(
    asked: DriftParams,
) -> None:
    """At alpha 0.05 over all four parts together, 400 times: the bound of the binomial is 0.06."""
    alarms, parts = 0, 0
    for number in range(400):
        rng = np.random.default_rng(number)
        report = drift.compare(draw_rows(rng, 40), draw_rows(rng, 60), ORIGIN, asked, embed)
        alarms += bool(report.drifted)
        parts += sum(test.p_value <= 0.05 for test in report.tests)
    assert alarms / 400 <= 0.06
    assert parts / 1600 <= 0.06  # each part by itself, unadjusted


@pytest.mark.parametrize(
    ("planted", "part"),
    [
        ({"words": [*WORDS[:30], *(f"v{number}" for number in range(30))]}, "vocabulary"),
        ({"words": [f"v{number}" for number in range(60)]}, "features"),
        ({"long": 16}, "length"),
        ({"ones": 0.8}, "classes"),
    ],
)
def test_planted_drift_is_found_in_its_part(
    planted: dict[str, object], part: str, asked: DriftParams
) -> None:
    """150 new rows against 300, ten times: found in nine at least."""
    found = 0
    for number in range(10):
        rng = np.random.default_rng(number)
        report = drift.compare(
            draw_rows(rng, 150, **planted), draw_rows(rng, 300), ORIGIN, asked, embed
        )
        found += {test.part: test.drifted for test in report.tests}[part]
        assert report.drifted == any(test.drifted for test in report.tests)
        assert (part in report.note) == {test.part: test.drifted for test in report.tests}[part]
    assert found >= 9


def test_the_parts_are_adjusted_together(asked: DriftParams) -> None:
    """By Holm the least p-value of four is multiplied by four."""
    rng = np.random.default_rng(1)
    report = drift.compare(draw_rows(rng, 60), draw_rows(rng, 60), ORIGIN, asked, embed)
    least = min(report.tests, key=lambda test: test.p_value)
    assert least.p_adjusted == pytest.approx(min(1, 4 * least.p_value))


def test_only_rows_that_the_champion_had_not_are_new(asked: DriftParams) -> None:
    """Ten rows are gone, fifty are the same, and as few as five new ones are not tested."""
    rng = np.random.default_rng(1)
    known, fresh = draw_rows(rng, 60), draw_rows(rng, 5)
    now = Labelled(
        *(np.concatenate(both) for both in zip(rows(known, 10), rows(fresh), strict=True))
    )

    def never(texts: Sequence[str]) -> np.ndarray:
        raise AssertionError("nothing is to be computed")

    report = drift.compare(now, known, ORIGIN, asked, never)
    assert (report.new_rows, report.known_rows, report.gone_rows) == (5, 60, 10)
    assert report.drifted is None
    assert "5 new rows, and drift.min_new_rows asks for 40" in report.note


def rows(labelled: Labelled, start: int = 0) -> tuple[np.ndarray, ...]:
    return labelled.ids[start:], labelled.texts[start:], labelled.labels[start:]


def test_a_text_is_one_row_whatever_its_case_or_spacing(tmp_path: Path) -> None:
    lines = [("A  film", 1), ("a film", 0), ("B", "positive"), (" ", 0), ("C", "unknown")]
    written = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in lines)
    (tmp_path / "rows.jsonl").write_text(written)
    found = drift.read_labelled(tmp_path, ("negative", "positive"))
    assert sorted(zip(found.texts, found.labels.tolist(), strict=True)) == [
        ("A  film", 1),
        ("B", 1),
        ("C", -1),
    ]
    assert list(found.ids) == sorted(found.ids)


def test_the_report_has_no_text_and_is_the_same_twice(
    asked: DriftParams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = []
    for _ in range(2):
        rng = np.random.default_rng(4)
        report = drift.compare(draw_rows(rng, 50), draw_rows(rng, 50), ORIGIN, asked, embed)
        drift.write(report)
        written.append(drift.REPORT.read_text())
    assert written[0] == written[1]
    assert not any(f"{word} " in written[0] for word in WORDS)


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"permutations": 99, "alpha": 0.01}, "can never reach"), ({"max_rows": 50}, "min_new_rows")],
)
def test_settings_that_can_find_nothing_are_refused(
    changes: dict[str, float], named: str, asked: DriftParams
) -> None:
    given = asked.model_dump() | {"min_new_rows": 100} | changes
    with pytest.raises(ValueError, match=named):
        DriftParams(**given)
