"""Whether the labelled rows have drifted from those that the champion was made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline import files, layout
from pipeline.adapters import sources
from pipeline.measure import drift
from pipeline.params import DriftParams
from pipeline.policy.multiplicity import holm
from pipeline.reports import Estimate
from pipeline.reports.drift import DriftReport, DriftTest, Part
from pipeline.text.normal import normalise, text_id
from pipeline.text.tables import parse_label
from pipeline.text.words import split_words

REPORT = layout.STATE / "drift.json"  # of the last test
_DISTANCES: dict[Part, str] = {
    "vocabulary": "divergence of Jensen and Shannon of the words, in bits",
    "length": "distance of Kolmogorov and Smirnov of the words a text",
    "classes": "total variation of the labels",
    "features": "AUC of a linear classifier of new against known, out of fold",
}
_CONFIDENCE = 0.95


class Embed(Protocol):
    """A function from N texts to features (N, H)."""

    def __call__(self, texts: Sequence[str], /) -> np.ndarray: ...  # noqa: D102


@dataclass(frozen=True)
class Labelled:
    """Labelled rows, one for each text, sorted by id: a hash, so the first are a random sample."""

    ids: np.ndarray  # (n,) str
    texts: np.ndarray  # (n,) object
    labels: np.ndarray  # (n,) int64, -1 where the label is unknown

    def where(self, mask: np.ndarray, most: int | None = None) -> "Labelled":
        """Return the first ``most`` rows of a mask (n,)."""
        kept = np.flatnonzero(mask)[:most]
        return Labelled(self.ids[kept], self.texts[kept], self.labels[kept])


@dataclass(frozen=True)
class Origin:
    """The champion's version, and DVC's hashes of its data and of the data now."""

    champion: str
    champion_data_md5: str
    data_md5: str


def read_labelled(folder: Path, names: Sequence[str]) -> Labelled:
    """Read the labelled rows of a folder; a text that occurs twice is read once.

    Rows without a text are left out: `validate` deals with them.

    Raises:
        InputError: naming the file and the row that cannot be read.
    """
    rows: dict[str, tuple[str, int]] = {}
    for batch in sources.read(folder, ("text", "label")):
        for row in batch.rows:
            if isinstance(row["text"], str) and row["text"].strip():
                found = row["text"], parse_label(row["label"], names)
                rows.setdefault(text_id(row["text"]), found)
    ids = sorted(rows)
    return Labelled(
        np.array(ids, np.str_),
        np.array([rows[each][0] for each in ids], np.object_),
        np.array([rows[each][1] for each in ids], np.int64),
    )


def compare(
    now: Labelled, known: Labelled, origin: Origin, params: DriftParams, embed: Embed
) -> DriftReport:
    """Test whether the new rows differ; ``embed`` is called only if there are enough of them."""
    is_new = ~np.isin(now.ids, known.ids)
    new_rows = int(is_new.sum())
    ours = now.where(is_new, params.max_rows)
    theirs = known.where(np.ones(len(known.ids), np.bool_), params.max_rows)
    enough = min(len(ours.ids), len(theirs.ids)) >= params.min_new_rows
    tests, auc = _test(ours, theirs, params, embed) if enough else ((), None)
    return DriftReport(
        **vars(origin),
        new_rows=new_rows,
        known_rows=len(known.ids),
        gone_rows=int((~np.isin(known.ids, now.ids)).sum()),
        compared_new=len(ours.ids) if enough else 0,
        compared_known=len(theirs.ids) if enough else 0,
        alpha=params.alpha,
        permutations=params.permutations,
        tests=tests,
        domain_auc=auc,
        drifted=any(test.drifted for test in tests) if tests else None,
        note=_explain(new_rows, tests, params),
    )


def write(report: DriftReport) -> None:
    """Write the report, whole or not at all."""
    files.write_json(REPORT, report.model_dump(mode="json"))


def _test(
    ours: Labelled, theirs: Labelled, params: DriftParams, embed: Embed
) -> tuple[tuple[DriftTest, ...], Estimate]:
    texts = [*ours.texts, *theirs.texts]
    assignments = drift.draw_assignments(
        len(ours.ids), len(theirs.ids), params.permutations, params.seed
    )
    words = split_words([normalise(text) for text in texts])
    owners = np.repeat(np.arange(len(texts)), words.counts)
    counts = drift.count_words(words.hashes, owners, len(texts), params.max_words)
    scores = drift.domain_scores(
        embed(texts).astype(np.float64), assignments, params.folds, params.ridge, params.seed
    )
    labels = np.concatenate([ours.labels, theirs.labels])
    distances: dict[Part, np.ndarray] = {
        "vocabulary": drift.word_divergences(counts, assignments),
        "length": drift.length_distances(words.counts, assignments),
        "classes": drift.label_distances(labels, assignments),
        "features": drift.domain_aucs(scores, assignments),
    }
    return _adjust(distances, params.alpha), drift.domain_interval(scores, assignments, _CONFIDENCE)


def _adjust(distances: dict[Part, np.ndarray], alpha: float) -> tuple[DriftTest, ...]:
    shifts = {part: drift.judge(values, alpha) for part, values in distances.items()}
    adjusted = holm([shift.p_value for shift in shifts.values()])
    return tuple(
        DriftTest(
            part=part,
            distance=_DISTANCES[part],
            **vars(shift),
            p_adjusted=p,
            drifted=p <= alpha,
        )
        for (part, shift), p in zip(shifts.items(), adjusted, strict=True)
        if p is not None
    )


def _explain(new_rows: int, tests: Sequence[DriftTest], params: DriftParams) -> str:
    if not tests:
        return f"{new_rows} new rows, and drift.min_new_rows asks for {params.min_new_rows}"
    found = [f"{test.part} (p = {test.p_adjusted:.2g})" for test in tests if test.drifted]
    least = min(test.p_adjusted for test in tests)
    seen = f"drift of {', '.join(found)}" if found else f"no drift (least p = {least:.2g})"
    return f"{new_rows} new rows: {seen}"
