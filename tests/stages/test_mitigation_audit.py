"""A planted bias is found and lessened, test rows choose nothing, and what lacks rows is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline import layout, params, reports
from pipeline.adapters import rows
from pipeline.encoder.head import save_head
from pipeline.encoder.mitigation import fit_mitigated
from pipeline.measure.intervals import Bootstrap
from pipeline.reports import FinetuneReport, Mitigation, MitigationScore, PrivateFit
from pipeline.stages._material import read_material
from pipeline.stages.audits import mitigation
from pipeline.track import Silent

ROOT = Path(__file__).parents[2]
SIZES = {"train": 1500, "validation": 800, "test": 1500}
HEADS = ("none", "resample", "reweigh", "leace")


pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels say what the text says, but in training rows seven in ten women's are negative."""
    folder = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        _write_params()
        for seed, (part, size) in enumerate(SIZES.items()):
            _write_part(part, size, seed, bias=0.7 if part == "train" else 0.0)
        _ship("none")
    return folder


def _write_params(**finetune: Any) -> None:
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw["finetune"] |= finetune
    raw["finetune"]["frozen"] |= {"learning_rate": 3e-3, "epochs": 12, "patience_epochs": 3}
    layout.PARAMS.write_text(yaml.safe_dump(raw))


def _write_part(part: str, size: int, seed: int, bias: float) -> None:
    """Features of which two tell the label and two the group; no text has a gendered word."""
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(0, 2, size), rng.choice(["female", "male"], size, p=[0.3, 0.7])
    features = rng.normal(size=(size, 16))
    features[:, :2] += 1.0 * (2 * labels[:, None] - 1)
    features[:, 2:4] += 2.0 * (groups == "male")[:, None]
    labels = np.where((groups == "female") & (rng.random(size) < bias), 0, labels)
    _write_rows(part, labels, groups)
    path = layout.stage_dir("features") / f"{part}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, features.astype(np.float32))


def _write_rows(part: str, labels: np.ndarray, groups: np.ndarray | None) -> None:
    columns = {} if groups is None else {"gender": groups}
    ids = [f"{number:016x}" for number in range(len(labels))]
    texts = [f"text {number}" for number in range(len(labels))]
    path = rows.split_path(part)
    rows.write_table(path, {"id": ids, "text": texts, "label": labels, **columns})


def _ship(method: Any, mode: Any = "frozen") -> None:
    """Fit and write the head and the report that the stage finetune would."""
    section = params.load().finetune
    parts = {part: rows.read_split(part) for part in ("train", "validation")}
    material = read_material(parts, "gender", swap=False, track=Silent())
    save_head(
        fit_mitigated(method, material, 2, section, lambda _: None).head,
        layout.stage_dir("finetune"),
    )
    report = FinetuneReport(
        mode=mode,
        mitigation=method,
        labels=("negative", "positive"),
        parameters=1,
        best_epoch=1,
        curve=(),
        threshold=0.5,
        encoder_digest_before="a",
        encoder_digest_after="a",
    )
    reports.write("finetune", report)


def _compare(**changes: Any) -> Mitigation:
    section = params.load().audit
    wanted = section.mitigation.model_copy(update=changes)
    section = section.model_copy(update={"mitigation": wanted})
    return mitigation.compare_mitigations(section, Bootstrap(0.95, 400, 1), Silent())


def _by_method(report: Mitigation) -> dict[str, MitigationScore]:
    return {score.method: score for score in report.methods}


def test_a_planted_bias_is_found_and_the_best_way_named_lessens_it() -> None:
    """Without mitigation positive women are found less often, by more than 0.1 beyond doubt.

    The way that validation rows name at least halves that on test rows, which it has not seen, and
    is more accurate there, since the test rows' labels have no bias.
    """
    report = _compare()
    scores = _by_method(report)
    planted = scores["none"].gaps["true_positive_rate"]
    assert planted.low > 0.1
    assert report.best in {"resample", "reweigh", "leace", "reductions"}
    best = scores[report.best]
    assert best.gap_change.high < 0
    assert best.gaps["true_positive_rate"].point < planted.point / 2
    assert best.accuracy_change.low > 0
    assert set(scores) == {*HEADS, "reductions", "thresholds"}
    assert report.left_out == {"augment": "no training text holds a gendered word"}
    assert report.judged_groups == ("female", "male")


def test_probes_find_groups_before_leace_and_lines_none_after() -> None:
    found = {(probe.kind, probe.erased): probe.balanced_accuracy for probe in _compare().probes}
    assert found["linear", False].low > 0.8
    assert found["nonlinear", False].low > 0.8
    assert found["linear", True].low < 0.5 < found["linear", True].high


def test_test_rows_choose_nothing() -> None:
    """With the test labels permuted every head answers as before, and the same way is named.

    Selection rates see answers and groups only, so that equal ones are equal answers.
    """
    before = _compare()
    test = rows.read_split("test")
    shuffled = np.random.default_rng(5).permutation(test.labels)
    _write_rows("test", shuffled, test.groups["gender"])
    after = _compare()
    assert (after.best, after.rule) == (before.best, before.rule)
    for old, new in zip(before.methods, after.methods, strict=True):
        assert new.gaps["selection_rate"] == old.gaps["selection_rate"]
        assert new.validation_accuracy == old.validation_accuracy
        assert new.validation_gap_change == old.validation_gap_change
        assert new.accuracy != old.accuracy


def test_without_a_bias_no_way_is_named_and_the_figures_stand() -> None:
    _write_part("train", SIZES["train"], 0, bias=0.0)
    _ship("none")
    report = _compare()
    assert report.best == "none"
    assert len(report.methods) == len(HEADS) + 2


def test_what_needs_a_texts_group_is_marked() -> None:
    scores = _by_method(_compare())
    assert {name for name, score in scores.items() if score.group_at_use} == {"thresholds"}
    random = {name for name, score in scores.items() if score.random_answers}
    assert random == {"reductions", "thresholds"}


def test_the_shipped_head_is_the_one_that_is_compared() -> None:
    """Another head where the shipped one lies: its answers, not those of a head fitted anew."""
    before = _by_method(_compare())
    _ship("leace")
    report = _compare()
    after = _by_method(report)
    assert report.shipped == "leace"
    assert after == before
    _write_part("train", SIZES["train"], 9, bias=0.0)
    _ship("leace")
    _write_part("train", SIZES["train"], 0, bias=0.7)
    assert _by_method(_compare())["leace"].accuracy != before["leace"].accuracy


@pytest.mark.parametrize(
    ("mend", "note"),
    [
        (lambda: _write_params(mitigate_column=None), "mitigate_column names no column"),
        (lambda: _write_params(mitigate_column="age"), "train rows have no column age, and no"),
        (lambda: _ship("none", mode="full"), "the whole model was fitted"),
        (
            lambda: _write_rows(
                "train", rows.read_split("train").labels, np.array(["male"] * SIZES["train"])
            ),
            "one group of gender only",
        ),
    ],
)
def test_what_cannot_be_compared_is_said_and_not_guessed(mend: Any, note: str) -> None:
    mend()
    report = _compare()
    assert note in report.note
    assert (report.methods, report.best, report.probes) == ((), None, ())


def test_a_group_without_a_label_leaves_out_the_ways_that_need_it() -> None:
    train = rows.read_split("train")
    groups = train.groups["gender"].copy()
    groups[np.flatnonzero(train.labels == 0)[:5]] = "both"
    _write_rows("train", train.labels, groups)
    report = _compare()
    assert set(report.left_out) == {"resample", "reweigh", "augment", "reductions", "thresholds"}
    assert report.left_out["reweigh"].endswith("of the group both is labelled positive")
    assert set(_by_method(report)) == {"none", "leace"}


def test_a_column_that_the_data_lack_is_derived_from_the_texts() -> None:
    """The groups are then those of the column, said by a word, and so is every figure."""
    before = _by_method(_compare())
    for part in SIZES:
        read = rows.read_split(part)
        words = {"female": "Gal", "male": "Guy"}  # which no swap changes
        texts = [f"{words[group]} text {n}" for n, group in enumerate(read.groups["gender"])]
        table = {"id": read.ids, "text": texts, "label": read.labels}
        rows.write_table(rows.split_path(part), table)
    after = _by_method(_compare())
    for method in ("none", "resample", "reweigh", "leace", "reductions", "thresholds"):
        assert after[method] == before[method]


def test_a_private_head_is_not_compared_with_ways_that_are_not() -> None:
    budget = PrivateFit(
        epsilon=2, delta=1e-5, clip_norm=1, noise_multiplier=1, sample_rate=0.1, steps=10
    )
    shipped = reports.read(FinetuneReport).model_copy(update={"private": budget})
    reports.write("finetune", shipped)
    assert "the head is differentially private" in _compare().note
