"""Batch scoring against stock transformers, row by row; refused models, damaged files, memory."""

from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import report_factory
import transformers

from pipeline import champion, layout, publish, reports, score
from pipeline.__main__ import main
from pipeline.adapters import signing, tracking
from pipeline.adapters.registry import Registry
from pipeline.errors import InputError
from pipeline.params import BundleParams

MAX_CHARS = 200
ROWS, OUT = Path("rows.parquet"), Path("scored.parquet")
TEXTS = ["good film", "bad", "bad bad film", "good " * 30, "film of a kind", "good bad"]


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    monkeypatch.delenv(signing.PUBLIC_KEY, raising=False)
    bundle_factory.build(tmp_path.name)
    bundle_factory.write_bundle(tmp_path.name, seed=0, spread=1.0)


def ask(texts: Any, target: str = "build/bundle", **columns: Any) -> pa.Table:
    """Score rows in groups of four and return what was written."""
    pq.write_table(pa.table({"text": texts, **columns}), ROWS, row_group_size=4)
    score.score(target, ROWS, OUT, MAX_CHARS, lambda _done, _total: None)
    return pq.read_table(OUT)


def test_every_row_has_the_label_and_probability_that_stock_transformers_gives_it() -> None:
    scored = ask(TEXTS, row=list(range(6)), weight=[0.5] * 6)
    stock = transformers.pipeline("text-classification", "build/bundle", truncation=True)
    said = [stock(text)[0] for text in TEXTS]
    assert scored["label"].to_pylist() == [each["label"] for each in said]
    probabilities = scored["probability"].to_numpy()
    np.testing.assert_allclose(probabilities, [each["score"] for each in said], atol=1e-6)
    assert np.ptp(probabilities) > 1e-3
    assert scored.select(["text", "row", "weight"]).equals(pq.read_table(ROWS))


def test_the_digest_and_version_of_the_champion_stand_in_every_row() -> None:
    name = Path.cwd().name
    publish.publish(BundleParams(name=name))
    scored = ask(TEXTS, target=f"models:/{name}@champion")
    digest = reports.read(reports.BundleReport).digest
    assert scored["model_digest"].to_pylist() == [digest] * len(TEXTS)
    assert scored["model_version"].to_pylist() == ["1"] * len(TEXTS)
    assert ask(TEXTS)["model_version"].null_count == len(TEXTS)  # of a folder there is none


def test_a_row_without_a_text_to_score_keeps_its_place_with_its_problem() -> None:
    """The other rows are answered as if they were alone."""
    flawed = [b"good", None, b"", b" \n", b"\xff\xfe", b"bad " * 60, b"bad"]
    texts = pa.array(flawed, pa.binary()).view(pa.string())
    scored = ask(texts, row=list(range(7)))
    assert scored["row"].to_pylist() == list(range(7))
    problems = [
        None,
        "the text is null",
        "the text is empty",
        "the text is empty",
        "the text is not UTF-8",
        "the text is longer than 200 characters",
        None,
    ]
    assert scored["problem"].to_pylist() == problems
    without = [problem is not None for problem in problems]
    for column in ("label", "probability"):
        assert scored[column].is_null().to_pylist() == without
    alone = ask(["good", "bad"])
    assert scored.filter(pa.compute.is_null(scored["problem"]))["probability"].to_pylist() == (
        pytest.approx(alone["probability"].to_pylist(), abs=1e-6)
    )


def test_the_summary_names_the_first_rows_with_a_problem_and_counts_them_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pq.write_table(pa.table({"text": ["good", *[None] * 7, ""]}), ROWS)
    assert main(["score", "build/bundle", str(ROWS), str(OUT)]) == 0
    said = capsys.readouterr().out
    assert "no label: 7 rows: the text is null" in said
    assert "no label: 1 rows: the text is empty" in said
    assert "row 2: the text is null" in said
    assert "row 6: the text is null" in said
    assert "row 7" not in said
    assert "9 rows, 1 with a label" in said
    assert "rows/s" in said


def test_neither_the_order_of_rows_nor_the_size_of_a_chunk_changes_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To 1e-6: a product of a larger matrix may round its last bits differently."""
    draw = np.random.default_rng(0)
    words = bundle_factory.WORDS[5:]
    texts = [" ".join(draw.choice(words, draw.integers(1, 12))) for _ in range(100)]
    whole = ask(texts)["probability"].to_numpy()
    order = draw.permutation(100)
    monkeypatch.setattr(score, "_CHUNK_ROWS", 7)
    permuted = ask([texts[place] for place in order])["probability"].to_numpy()
    np.testing.assert_allclose(permuted, whole[order], atol=1e-6)
    assert len(np.unique(whole)) > 20


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("registered", [True, False])
def test_a_tampered_bundle_is_refused_before_it_is_loaded_and_nothing_is_written(
    registered: bool,
) -> None:
    name = Path.cwd().name
    publish.publish(BundleParams(name=name))
    OUT.write_bytes(b"of an earlier run")
    folder = tracking.download(f"models:/{name}/1") / "data" / "bundle"
    target, folder = (
        (f"models:/{name}@champion", folder)
        if registered
        else ("build/bundle", layout.stage_dir("bundle"))
    )
    flip(folder / "model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors: changed"):
        ask(TEXTS, target=target)
    assert OUT.read_bytes() == b"of an earlier run"
    assert sorted(path.name for path in Path().glob("*scored*")) == [OUT.name]


def test_an_alias_that_was_moved_by_hand_is_not_scored_by() -> None:
    name = Path.cwd().name
    bundle_factory.build(name, encoder_digest_after="0" * 64)
    publish.publish(BundleParams(name=name))
    registry = Registry(name)
    registry.point(champion.CHAMPION, registry.get("1"))
    with pytest.raises(InputError, match="the alias was moved by hand"):
        ask(TEXTS, target=f"models:/{name}@champion")
    assert not OUT.exists()
    assert main(["score", "models:/nobody@champion", str(ROWS), str(OUT)]) == 2


def test_a_file_that_is_damaged_half_way_leaves_nothing() -> None:
    draw = np.random.default_rng(0)
    table = pa.table({"text": [draw.bytes(50).hex() for _ in range(4000)]})
    pq.write_table(table, ROWS, row_group_size=1000, write_statistics=False)
    data = bytearray(ROWS.read_bytes())
    middle = len(data) // 2
    data[middle - 40_000 : middle + 40_000] = bytes(80_000)
    ROWS.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"rows\.parquet: is damaged"):
        score.score("build/bundle", ROWS, OUT, MAX_CHARS, lambda _done, _total: None)
    assert not list(Path().glob("*scored*"))


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"body": ["x"]}, "has no column 'text'; it has body"),
        ({"text": [1]}, "the column 'text' is of int64"),
        ({"text": ["x"], "label": ["y"]}, "has a column 'label', which scoring adds"),
    ],
)
def test_columns_that_do_not_fit_are_named(columns: dict[str, Any], named: str) -> None:
    pq.write_table(pa.table(columns), ROWS)
    with pytest.raises(InputError, match=named):
        score.open_rows(ROWS, OUT)


def test_what_is_no_parquet_or_would_be_written_over_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        score.open_rows(Path("params.yaml"), OUT)
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        score.open_rows(Path("nothing.parquet"), OUT)
    with pytest.raises(InputError, match="is the input"):
        score.open_rows(ROWS, Path.cwd() / "x" / ".." / ROWS)


def test_a_file_without_rows_gives_one_without_rows() -> None:
    scored = ask(pa.array([], pa.string()))
    assert (scored.num_rows, scored.column_names) == (0, ["text", *score.ADDED.names])


def test_memory_follows_the_chunk_and_not_the_file() -> None:
    """One row group of 60 MB is read in less than a quarter of that."""
    draw = np.random.default_rng(0)
    pq.write_table(pa.table({"text": [draw.bytes(100).hex() for _ in range(300_000)]}), ROWS)
    assert pq.ParquetFile(ROWS).num_row_groups == 1
    before = pa.total_allocated_bytes()
    most = 0
    for chunk in score._chunks(score.open_rows(ROWS, OUT), ROWS):
        del chunk
        most = max(most, pa.total_allocated_bytes() - before)
    assert 0 < most < 15e6


def test_the_labels_are_those_of_the_bundle() -> None:
    assert score.open_bundle("build/bundle").labels == tuple(report_factory.LABELS)
