"""Against rows planted to fail one expectation each: they, and no others, are set aside."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline import files, layout, params, reports
from pipeline.errors import InputError
from pipeline.stages import validate
from pipeline.text.normal import text_id
from pipeline.track import Silent

ROOT = Path(__file__).parents[2]
Row = dict[str, Any]

LONG_LABELLED = "the very first train of the morning was late because of snow on the old bridge"
SHORT_LABELLED = "nobody in the whole house had ever heard it"
DAMAGED = "the Senate voted on it\N{REPLACEMENT CHARACTER}"


def sentence(draw: random.Random) -> str:
    nouns = [f"thing{draw.randrange(10_000)}" for _ in range(12)]
    return f"The {nouns[0]} of the {nouns[1]} is not in the " + " ".join(nouns[2:])


def clean_labelled(count: int = 60) -> list[Row]:
    draw = random.Random(1)
    return [
        {"text": sentence(draw), "label": n % 2, "domain": "a", "gender": "none", "rating": n / 2}
        for n in range(count)
    ]


def clean_corpus(count: int = 60) -> list[Row]:
    draw = random.Random(2)
    return [{"text": sentence(draw)} for _ in range(count)]


def row(text: Any, label: Any = 1, **others: Any) -> Row:
    return {"text": text, "label": label, "domain": "a", "gender": "none", "rating": 0.5} | others


FIRST, SECOND = clean_labelled()[0]["text"], clean_labelled()[1]["text"]
# Rows of labelled/planted.jsonl -> the expectations that set each aside.
LABELLED = [
    (row(None), ["null_text"]),
    (row("  \n"), ["empty_text"]),
    (row("x y " * 6000), ["overlong_text"]),
    (row("It was cafÃ© noir"), ["encoding_damage"]),
    (row(7), ["schema"]),
    (row("A rating in words", rating="high"), ["schema"]),
    (row("A label that is no label", label="good"), ["label_set"]),
    (row(f"  {FIRST.upper()}", label=0), ["exact_duplicate"]),
    (row("Two people disagree", label=0), ["conflicting_label"]),
    (row("two people DISAGREE", label=1), ["conflicting_label"]),
    (row("Two  people disagree", label=0), ["conflicting_label"]),
    (row(DAMAGED + "y " * 12_000), ["overlong_text", "encoding_damage"]),
    (row(f"{SECOND} indeed"), []),  # a near-duplicate, of severity warn
    (row(LONG_LABELLED), []),
    (row(SHORT_LABELLED), []),
    (row("Ask joe@mail.org"), []),  # personal data, of severity warn
    (row("Ask jo.doe@mail.org or jane@mail.org"), []),
    (row("negative", label="negative"), []),
]
CORPUS = [
    (row(None), ["null_text"]),
    (row(""), ["empty_text"]),
    (row(DAMAGED), ["encoding_damage"]),
    (row(clean_corpus()[3]["text"] + " "), ["exact_duplicate"]),
    (row(f"He wrote: {' '.join(LONG_LABELLED.split()[1:14]).upper()}!"), ["contamination"]),
    (row(f"He wrote: {' '.join(LONG_LABELLED.split()[1:13])}!"), []),  # a word short of 13
    (row(f"Then, {SHORT_LABELLED} said."), ["contamination"]),
    (row("A row that repeats a damaged one is no duplicate of a row kept"), []),
]


def write(name: str, rows: list[Row], folder: Path = Path()) -> None:
    path = folder / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in rows))


RAW = yaml.safe_load((ROOT / "params.yaml").read_text())["validate"]
SEVERITY = {**RAW["severity"], "schema": "quarantine", "label_set": "quarantine"}


def section(**changes: Any) -> params.ValidateParams:
    raw = RAW | {"min_group_rows": 5, "severity": SEVERITY} | changes
    return params.ValidateParams.model_validate(raw, strict=False)


def with_severity(name: str, level: str) -> params.ValidateParams:
    return section(severity={**SEVERITY, name: level})


def run(section: params.ValidateParams) -> reports.ValidateReport:
    report = validate.run(section, Silent())
    reports.write("validate", report)
    return report


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which validate has run once on clean and planted rows."""
    folder = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write("labelled/clean.jsonl", clean_labelled())
        write("labelled/planted.jsonl", [row for row, _ in LABELLED])
        write("corpus/clean.jsonl", clean_corpus())
        write("corpus/planted.jsonl", [row for row, _ in CORPUS])
        run(section())
        yield folder


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "build" / "validate" / f"{name}.parquet")


def outcomes(folder: Path) -> dict[tuple[str, str], reports.Expectation]:
    raw = files.read_json(folder / layout.report_path("validate"))
    found = reports.parse(reports.ValidateReport, raw, "report", "validate").expectations
    return {(outcome.table, outcome.name): outcome for outcome in found}


@pytest.mark.parametrize(("table", "planned"), [("labelled", LABELLED), ("corpus", CORPUS)])
def test_planted_rows_are_set_aside_with_their_reasons_and_no_others(
    planted: Path, table: str, planned: list[tuple[Row, list[str]]]
) -> None:
    aside = read(planted, "quarantine")
    aside = aside[aside["table"] == table]
    assert set(aside["file"]) == {"planted.jsonl"}
    found = {
        number: [part.split(":")[0] for part in reason.split("; ")]
        for number, reason in zip(aside["row"], aside["reason"], strict=True)
    }
    assert found == {n: names for n, (_, names) in enumerate(planned, 1) if names}
    kept = [row for row, names in planned if not names]
    assert set(read(planted, table)["text"]) >= {row["text"] for row in kept}
    assert len(read(planted, table)) == 60 + len(kept)


@pytest.mark.parametrize(("table", "planned"), [("labelled", LABELLED), ("corpus", CORPUS)])
def test_each_expectation_counts_its_planted_rows(
    planted: Path, table: str, planned: list[tuple[Row, list[str]]]
) -> None:
    reported = ("near_duplicate", "personal_data", "label_balance", "language_mix", "group_rows")
    for (of, name), outcome in outcomes(planted).items():
        reported = (
            "near_duplicate",
            "personal_data",
            "label_balance",
            "language_mix",
            "group_rows",
        )
        if of != table or name in reported:
            continue
        expected = sum(name in names for _, names in planned)
        assert (outcome.unexpected, outcome.passed) == (expected, expected == 0), name
        assert outcome.checked == 60 + len(planned)


def test_a_warning_is_reported_and_moves_no_row(planted: Path) -> None:
    near = outcomes(planted)["labelled", "near_duplicate"]
    assert (near.unexpected, near.passed) == (1, False)
    assert "planted.jsonl row 13" in near.detail
    assert "labelled/clean.jsonl row 2" in near.detail
    few = outcomes(planted)["labelled", "group_rows"]
    assert few.passed


def test_personal_data_is_told_by_kind_and_place_and_never_in_clear(planted: Path) -> None:
    """Not in the report, and not in the pages of Great Expectations."""
    found = outcomes(planted)["labelled", "personal_data"]
    assert (found.unexpected, found.passed, found.severity) == (2, False, "warn")
    assert found.detail.endswith("most planted.jsonl row 17: holds 2: email jo.***@****.***")
    raw = files.read_json(planted / layout.report_path("validate"))
    assert raw["personal_data"] == {"corpus": {}, "labelled": {"email": 2}}
    kept = raw["labelled"]["rows_kept"]
    texts = read(planted, "labelled")["text"]
    held = sum("@" in text for text in texts)
    assert 1 <= held <= 2
    assert raw["personal_share"] == {"corpus": 0.0, "labelled": held / kept}
    pages = [planted / layout.report_path("validate"), *(planted / layout.DATA_DOCS).rglob("*")]
    assert not [path for path in pages if path.is_file() and b"jane@mail" in path.read_bytes()]


def test_personal_data_can_be_set_aside(clean: Path) -> None:
    write("corpus/z.jsonl", [{"text": "Pay to DE89 3704 0044 0532 0130 00 by Monday"}])
    report = run(with_severity("personal_data", "quarantine"))
    assert (report.corpus.rows_quarantined, report.personal_data["corpus"]) == (1, {"iban": 1})
    assert report.personal_share["corpus"] == 0.0  # of the rows kept
    assert read(clean, "quarantine")["reason"].tolist() == [
        "personal_data: holds 1: iban DE** **** **** **** **** **"
    ]


def test_a_reason_names_the_other_row(planted: Path) -> None:
    aside = read(planted, "quarantine").set_index(["table", "row"])["reason"]
    assert aside["labelled", 8].endswith("same text as labelled/clean.jsonl row 1")
    assert aside["labelled", 9].startswith(
        "conflicting_label: same text as labelled/planted.jsonl row 10"
    )
    assert aside["labelled", 11].startswith(
        "conflicting_label: same text as labelled/planted.jsonl row 10"
    )
    assert aside["corpus", 5].endswith("holds the words of labelled/planted.jsonl row 14")
    assert "'good'" in aside["labelled", 7]


def test_the_kept_columns_are_those_of_the_contract(planted: Path) -> None:
    labelled, corpus = read(planted, "labelled"), read(planted, "corpus")
    assert list(labelled) == ["id", "text", "label", "domain", "gender", "rating"]
    assert list(corpus) == ["id", "text", "source"]
    assert set(corpus["source"]) == {"clean", "planted"}
    assert labelled["label"].dtype == "int64"
    assert labelled.set_index("text")["label"]["negative"] == 0
    for table in (labelled, corpus):
        assert table["id"].tolist() == [text_id(text) for text in table["text"]]
        assert table["id"].is_unique


def test_the_report_counts_what_was_kept(planted: Path) -> None:
    raw = files.read_json(planted / layout.report_path("validate"))
    kept = read(planted, "labelled")
    assert raw["labelled"]["rows_in"] == 60 + len(LABELLED)
    assert raw["labelled"]["rows_kept"] == len(kept)
    assert raw["labelled"]["rows_quarantined"] == 60 + len(LABELLED) - len(kept)
    assert raw["labelled"]["characters"] == kept["text"].str.len().sum()
    names = {"negative": 0, "positive": 1}
    assert raw["labels"] == {name: int((kept["label"] == n).sum()) for name, n in names.items()}
    assert raw["label_names"] == ["negative", "positive"]
    assert raw["groups"] == {"domain": {"a": len(kept)}, "gender": {"none": len(kept)}}


def test_data_docs_are_kept_beside_the_outputs(planted: Path) -> None:
    docs = planted / layout.DATA_DOCS
    assert (docs / "index.html").is_file()
    assert len(list(docs.glob("validations/**/*.html"))) == len(
        list(docs.glob("expectations/*.html"))
    )


@pytest.fixture
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write("labelled/rows.jsonl", clean_labelled())
    write("corpus/rows.jsonl", clean_corpus())
    return tmp_path


def test_equal_inputs_give_equal_bytes_and_order_no_other_digest(clean: Path) -> None:
    first = run(section())
    digests = files.sha256_tree(clean / "build")
    assert run(section()) == first
    assert files.sha256_tree(clean / "build") == digests
    write("labelled/rows.jsonl", clean_labelled()[::-1])
    assert run(section()).labelled.digest == first.labelled.digest
    write("labelled/rows.jsonl", [{**clean_labelled()[0], "label": 1}, *clean_labelled()[1:]])
    assert run(section()).labelled.digest != first.labelled.digest


def test_an_error_stops_names_its_rows_and_writes_nothing(clean: Path) -> None:
    bad = [row(f"Text {n} of many", label="god") for n in range(25)]
    write("labelled/rows.jsonl", [*clean_labelled(), *bad])
    with pytest.raises(InputError) as stopped:
        run(with_severity("label_set", "error"))
    lines = str(stopped.value).splitlines()
    assert lines[0] == "labelled: label_set failed, and its severity is error: 25 of 85 rows"
    assert lines[1] == "  labelled/rows.jsonl row 61: label 'god' is unknown"
    assert lines[-1] == "  and 5 more"
    assert len(lines) == 22
    assert not list(clean.glob("build/**/*.parquet"))


def test_every_failure_of_severity_error_is_told_at_once(clean: Path) -> None:
    faults = [{"text": DAMAGED}, {"text": clean_corpus()[0]["text"] + " too"}]
    write("corpus/z.jsonl", [*faults, {"text": clean_labelled()[0]["text"]}])
    more = [row(f"Der Hund und die Katze {n} sind nicht in dem Haus") for n in range(300)]
    write("labelled/z.jsonl", [*more, row("A rare one", gender="rare")])
    with pytest.raises(InputError) as stopped:
        run(section(severity=dict.fromkeys(SEVERITY, "error")))
    told = str(stopped.value)
    for table, name, where in (
        ("corpus", "encoding_damage", "\n  corpus/z.jsonl row 1: "),
        (
            "corpus",
            "near_duplicate",
            "\n  corpus/z.jsonl row 2: nearly the same text as corpus/rows",
        ),
        ("corpus", "contamination", "\n  corpus/z.jsonl row 3: "),
        ("labelled", "label_balance", "negative 8.3%"),
        ("labelled", "group_rows", "gender=rare 1"),
        ("labelled", "language_mix", "de 300"),
    ):
        (line,) = [part for part in told.split(f"{table}: ") if part.startswith(f"{name} failed")]
        assert where in line


def test_a_share_that_is_undefined_is_no_pass(clean: Path) -> None:
    """No text holds a common word: the language is unknown, which is not English."""
    write("corpus/rows.jsonl", [{"text": f"zzz{n} qqq{n}"} for n in range(9)])
    report = run(section())
    mix = next(o for o in report.expectations if (o.table, o.name) == ("corpus", "language_mix"))
    assert (mix.passed, mix.checked, mix.unexpected) == (False, 0, 0)


def test_data_without_groups_or_ratings_in_another_language_is_taken(clean: Path) -> None:
    """An expectation that is left out is not looked at."""
    rows = [{"text": row["text"], "label": row["label"]} for row in clean_labelled()]
    write("labelled/rows.jsonl", rows)
    severity = {k: v for k, v in SEVERITY.items() if k != "language_mix"}
    report = run(section(groups=(), severity=severity, language="xx"))
    assert report.groups == {}
    assert "language_mix" not in {outcome.name for outcome in report.expectations}
    assert list(read(clean, "labelled")) == ["id", "text", "label"]


@pytest.mark.parametrize("value", [True, None])
def test_a_label_that_is_shown_as_a_name_is_written_is_none_all_the_same(
    clean: Path, value: Any
) -> None:
    names = ("True", "None", "0")
    rows = [{**row, "label": "0"} for row in clean_labelled()]
    write("labelled/rows.jsonl", [*rows, row("A label of another type", label=value)])
    found = run(section(labels=names)).expectations
    (outcome,) = [each for each in found if each.name == "label_set"]
    assert outcome.unexpected == 1
    assert f"row 61: label {value} of type" in outcome.detail


BAD_SECTIONS = {
    "unknown expectation": (
        {"severity": {**SEVERITY, "nul_text": "warn"}},
        "did you mean 'null_text'",
    ),
    "one needed left out": ({"severity": {"schema": "error"}}, "null_text: missing"),
    "one needed made a warning": (
        {"severity": {**SEVERITY, "exact_duplicate": "warn"}},
        "exact_duplicate: later stages rely on it",
    ),
    "quarantine of a table": (
        {"severity": {**SEVERITY, "label_balance": "quarantine"}},
        "label_balance: concerns the whole table",
    ),
    "unknown language": ({"language": "xx"}, "'xx' is none of de, en"),
    "a group that is a column of its own": ({"groups": ("label",)}, "'label' has another meaning"),
    "a group that predictions have": (
        {"groups": ("probability_0",)},
        "'probability_0' has another",
    ),
}


@pytest.mark.parametrize(("changes", "named"), BAD_SECTIONS.values(), ids=BAD_SECTIONS)
def test_a_section_that_cannot_be_meant_is_refused_by_key(
    clean: Path, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        run(section(**changes))


BAD_DATA = {
    "no group column": ([{"text": "a", "label": 1, "domain": "a"}], "no column 'gender'"),
    "a group misspelt": ([{"text": "a", "label": 1, "domain": "a", "gendre": "x"}], "'gendre'"),
    "no label": ([{"text": "a", "domain": "a", "gender": "x"}], "no column 'label'"),
    "no row": ([], "hold no row"),
    "nothing left": ([row(None), row("")], "labelled: no row is left"),
    "all labels unknown": ([row("a b", label="x")], "labelled: no row is left\nlabel_set: 1 of 1"),
}


@pytest.mark.parametrize(("rows", "named"), BAD_DATA.values(), ids=BAD_DATA)
def test_data_that_cannot_be_used_is_named(clean: Path, rows: list[Row], named: str) -> None:
    write("labelled/rows.jsonl", rows)
    with pytest.raises(InputError, match=named):
        run(section())
