"""Against the promises of the split: content alone decides, copies stay together, shares hold."""

import random
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import report_factory
from scipy import stats

from pipeline import files, layout, reports
from pipeline.errors import InputError
from pipeline.params import SplitParams
from pipeline.stages import split
from pipeline.text.normal import text_id
from pipeline.track import Silent

Parts = dict[str, str]  # id -> part


def section(**changes: Any) -> SplitParams:
    shares = {"validation_share": 0.1, "test_share": 0.2, "heldout_share": 0.1, "salt": "charter"}
    return SplitParams(**shares | changes)


def make_rows(count: int, seed: int = 1) -> pyarrow.Table:
    draw = random.Random(seed)
    texts = [f"text {draw.random()}" for _ in range(count)]
    columns = {
        "id": [text_id(text) for text in texts],
        "text": texts,
        "label": [draw.randrange(2) for _ in texts],
        "gender": [draw.choice(["female", "male", "none", "none"]) for _ in texts],
        "rating": [draw.random() for _ in texts],
    }
    return pyarrow.table(columns)


def parts_of(rows: pyarrow.Table, **changes: Any) -> Parts:
    found = split.split_labelled(rows, section(**changes))
    return {row_id: name for name, part in found.items() for row_id in part["id"].to_pylist()}


def test_added_rows_move_no_row_to_another_split() -> None:
    before = make_rows(500)
    after = parts_of(pyarrow.concat_tables([make_rows(700, seed=2), before]))
    assert len(after) == 1200
    assert parts_of(before).items() <= after.items()


def test_the_order_of_rows_changes_nothing() -> None:
    rows = make_rows(300)
    order = random.Random(3).sample(range(300), 300)
    one, other = (split.split_labelled(table, section()) for table in (rows, rows.take(order)))
    assert all(one[name].equals(other[name]) for name in one)


def test_labels_and_groups_do_not_decide() -> None:
    """A row whose label is corrected stays where it was: the text alone is hashed."""
    rows = make_rows(300)
    at = rows.column_names.index("label")
    relabelled = rows.set_column(at, "label", pyarrow.array([1] * 300))
    assert parts_of(rows) == parts_of(relabelled)


def test_copies_that_differ_in_case_spacing_or_punctuation_are_never_parted() -> None:
    texts = [f"Number {n} is, I think, fine" for n in range(300)]
    copies = [f"  number {n} IS (i think) fine!!" for n in range(300)]
    both = texts + copies
    table = pyarrow.table(
        {"id": [f"{n:016x}" for n in range(600)], "text": both, "label": [0] * 600}
    )
    parts = parts_of(table)
    assert all(parts[f"{n:016x}"] == parts[f"{n + 300:016x}"] for n in range(300))
    assert len(set(parts.values())) == 3


def test_each_stratum_has_the_shares_within_binomial_bounds() -> None:
    found = split.split_labelled(make_rows(20_000), section())
    described = {name: split.describe(part, ("no", "yes")) for name, part in found.items()}
    strata = [("labels", "no"), ("labels", "yes"), ("female", None), ("male", None)]
    for stratum, label in strata:
        rows = {
            name: part.labels[label] if label else part.groups["gender"][stratum]
            for name, part in described.items()
        }
        for name, share in (("test", 0.2), ("validation", 0.1), ("train", 0.7)):
            p_value = stats.binomtest(rows[name], sum(rows.values()), share).pvalue
            assert p_value > 1e-4, (stratum, label, name)


def test_another_salt_draws_another_split() -> None:
    rows = make_rows(2000)
    one, other = parts_of(rows), parts_of(rows, salt="other")
    both_test = sum(one[row] == other[row] == "test" for row in one)
    assert 40 < both_test < 130  # 80 expected of independent draws


def test_fewer_rows_are_a_subset_with_the_same_parts_and_shares() -> None:
    rows = make_rows(4000)
    whole, few, fewer = (parts_of(rows, max_rows=n) for n in (None, 2000, 500))
    assert (len(few), len(fewer)) == (2000, 500)
    assert fewer.items() <= few.items() <= whole.items()
    test_rows = sum(part == "test" for part in few.values())
    assert stats.binomtest(test_rows, 2000, 0.2).pvalue > 1e-4


@pytest.fixture
def validated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as validate leaves it."""
    monkeypatch.chdir(tmp_path)
    made = report_factory.make()["validate"]
    assert isinstance(made, reports.ValidateReport)
    reports.write("validate", made.model_copy(update={"label_names": ("no", "yes")}))
    folder = layout.stage_dir("validate")
    pyarrow.parquet.write_table(make_rows(400), folder / "labelled.parquet")
    documents = make_rows(600, seed=9).select(["id", "text"])
    documents = documents.append_column("source", pyarrow.array(["web"] * 600))
    pyarrow.parquet.write_table(documents, folder / "corpus.parquet")
    return tmp_path


def read(name: str) -> pyarrow.Table:
    return pyarrow.parquet.read_table(layout.stage_dir("split") / f"{name}.parquet")


def test_every_row_is_in_one_part_sorted_and_with_its_columns(validated: Path) -> None:
    report = split.run(section(), Silent())
    source = pyarrow.parquet.read_table("build/validate/labelled.parquet")
    for names, rows in (
        (("train", "validation", "test"), source),
        (
            ("corpus_train", "corpus_heldout"),
            pyarrow.parquet.read_table("build/validate/corpus.parquet"),
        ),
    ):
        parts = [read(name) for name in names]
        assert all(part["id"].to_pylist() == sorted(part["id"].to_pylist()) for part in parts)
        assert pyarrow.concat_tables(parts).sort_by("id").equals(rows.sort_by("id"))
    assert report.label_names == ("no", "yes")
    assert report.test.rows == read("test").num_rows
    assert report.corpus_heldout_documents == read("corpus_heldout").num_rows
    assert sum(report.train.labels.values()) == report.train.rows


def test_a_corpus_sorted_in_buckets_is_parted_as_one_sorted_at_once(
    validated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split.run(section(max_documents=400), Silent())
    at_once = read("corpus_train"), read("corpus_heldout")
    monkeypatch.setattr(split, "_BUCKET_BYTES", 2000)
    split.run(section(max_documents=400), Silent())
    assert read("corpus_train").equals(at_once[0])
    assert read("corpus_heldout").equals(at_once[1])
    assert sum(part.num_rows for part in at_once) == 400


def test_equal_inputs_give_equal_bytes(validated: Path) -> None:
    split.run(section(), Silent())
    before = files.sha256_tree(layout.stage_dir("split"))
    split.run(section(), Silent())
    assert files.sha256_tree(layout.stage_dir("split")) == before


def test_a_part_that_would_be_empty_is_named(validated: Path) -> None:
    with pytest.raises(InputError, match="no row for test, corpus_heldout"):
        split.run(section(test_share=1e-9, heldout_share=1e-9), Silent())


def test_split_before_validate_says_what_to_run(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="dvc repro validate"):
        split.run(section(), Silent())
