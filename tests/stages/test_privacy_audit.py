"""Explanation and privacy on a small trained model: what is known of it is found again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trained

from pipeline import params, reports
from pipeline.adapters import rows
from pipeline.errors import InputError
from pipeline.measure.intervals import Bootstrap
from pipeline.params import AuditParams, PrivateParams
from pipeline.reports import FinetuneReport
from pipeline.stages.audits import explanation, privacy
from pipeline.stages.audits.tested import read_tested
from pipeline.track import Silent

BOOTSTRAP = Bootstrap(0.95, 200, 1)


pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    return trained.build_world(folder, evaluated=True, learning_rate=1e-2)


def section(**changes: int) -> AuditParams:
    return params.load().audit.model_copy(
        update={"shadow_heads": 4, "max_explained": 12, **changes}
    )


def test_the_words_that_make_the_label_are_found_and_the_account_holds() -> None:
    """In these texts one word gives the label: GOOD or BAD, nine times in ten."""
    found = explanation.explain(read_tested(), section(), BOOTSTRAP, Silent())
    assert found.texts == 12
    terms = {label: {term.word for term in ranked} for label, ranked in found.terms.items()}
    for label, own, others in (
        ("positive", trained.GOOD, trained.BAD),
        ("negative", trained.BAD, trained.GOOD),
    ):
        assert len(terms[label] & set(own)) > len(terms[label] & set(others))
    assert (found.completeness_error.point or 1) < 0.02
    assert (found.comprehensiveness_gain.low or 0) > 0
    assert (found.sufficiency_gain.low or 0) > 0
    assert (found.randomised_weights.high or 1) < 0.6
    assert found.comprehensiveness.n == 12


def test_the_errors_shown_are_the_surest_wrong_answers() -> None:
    tested = read_tested()
    found = explanation.explain(tested, section(max_explained=1), BOOTSTRAP, Silent()).errors
    outcomes = tested.outcomes
    wrong = outcomes.predicted != outcomes.labels
    surest = np.sort(outcomes.probabilities.max(axis=1)[wrong])[::-1][: explanation.ERRORS]
    assert [each.probability for each in found] == surest.tolist()
    assert all(each.label != each.predicted for each in found)
    texts = [" ".join(word for word, _ in each.words) for each in found]
    assert set(texts) <= set(tested.texts)


def test_an_equal_run_gives_an_equal_report() -> None:
    tested = read_tested()
    first, again = (
        explanation.explain(tested, section(max_explained=2), BOOTSTRAP, Silent()) for _ in range(2)
    )
    assert first == again
    assert privacy.audit_privacy(section(), BOOTSTRAP, Silent()) == privacy.audit_privacy(
        section(), BOOTSTRAP, Silent()
    )


def test_the_attack_is_on_training_rows_against_test_rows() -> None:
    found = privacy.audit_privacy(section(max_members=120), BOOTSTRAP, Silent()).membership
    assert found is not None
    assert (found.members, found.others, found.shadow_heads) == (120, 120, 4)
    assert found.shadow_rows == 120
    assert found.true_positive_rate.point is not None
    all_rows = privacy.audit_privacy(section(max_members=None), BOOTSTRAP, Silent()).membership  # type: ignore[arg-type]
    assert all_rows is not None
    assert (all_rows.members, all_rows.others) == (300, 150)


def test_the_shift_of_the_threshold_is_no_sign_of_membership() -> None:
    """It is folded into the bias and the shadow heads have none: taken out, it changes nothing."""
    trained_head = reports.read(FinetuneReport)
    before = privacy.audit_privacy(section(), BOOTSTRAP, Silent())
    shift_head(25.0)
    moved = trained_head.logit_shift + 25.0
    reports.write("finetune", trained_head.model_copy(update={"logit_shift": moved}))
    after = privacy.audit_privacy(section(), BOOTSTRAP, Silent())
    assert before.membership
    assert after.membership
    assert after.membership.auc.point == pytest.approx(before.membership.auc.point, abs=1e-3)


def shift_head(logits: float) -> None:
    """Add to the logit of label 1 of the head on disk."""
    from pipeline.encoder.head import load_head, save_head

    head = load_head(Path("build/finetune"))
    head.output.bias.data[1] += logits
    save_head(head, Path("build/finetune"))


def finetune_section(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let audit read other parameters of finetune than those of the world."""
    read = params.load()
    frozen = read.finetune.frozen.model_copy(update=changes.pop("frozen", {}))
    finetune = read.finetune.model_copy(update={"frozen": frozen, **changes})
    found = read.model_copy(update={"finetune": finetune})
    monkeypatch.setattr(params, "load", lambda: found)


@pytest.mark.parametrize("method", ["reweigh", "augment", "leace"])
def test_shadows_are_mitigated_as_the_head_was(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the groups of both parts' rows, and by their own texts with the words swapped."""
    before = privacy.audit_privacy(section(), BOOTSTRAP, Silent()).membership
    finetune_section(monkeypatch, mitigation=method, mitigate_column="gender")
    found = privacy.audit_privacy(section(), BOOTSTRAP, Silent()).membership
    assert before
    assert found
    assert found.shadow_rows == before.shadow_rows
    assert found.auc != before.auc


def test_a_row_of_the_pool_has_its_own_group_and_its_own_swapped_text() -> None:
    finetune = params.load().finetune.model_copy(update={"mitigation": "augment"})
    material, member = privacy._read_pool(50, finetune, Silent())
    parts = [rows.read_split(part) for part in ("train", "test")]
    assert member.tolist() == [True] * 50 + [False] * 50
    assert material.groups is not None
    assert material.groups.tolist() == [g for part in parts for g in part.groups["gender"][:50]]
    assert material.train.labels.tolist() == [y for part in parts for y in part.labels[:50]]
    texts = [text for part in parts for text in part.texts[:50]]
    assert material.swapped_of is not None
    assert {texts[row].split()[1] for row in material.swapped_of} == {"woman", "man"}
    assert len(material.swapped_of) == sum(text.split()[1] != "visitor" for text in texts)


def test_where_shadows_cannot_be_mitigated_so_the_reason_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finetune_section(monkeypatch, mitigation="resample", mitigate_column="region")
    found = privacy.audit_privacy(section(), BOOTSTRAP, Silent())
    assert found.membership is None
    assert found.not_evaluated["Membership inference"].endswith("rows have no such column")


def test_shadows_that_learn_less_than_a_private_batch_have_smaller_ones_and_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private = PrivateParams(epsilon=8.0, delta=1e-5, clip_norm=1.0)
    for batch, told in ((200, 120), (64, None)):
        finetune_section(monkeypatch, frozen={"private": private, "batch_rows": batch, "epochs": 2})
        found = privacy.audit_privacy(section(max_members=120), BOOTSTRAP, Silent()).membership
        assert found
        assert (found.shadow_rows, found.shadow_batch_rows) == (120, told)


def test_a_whole_model_is_not_attacked_and_the_reason_is_told() -> None:
    whole = reports.read(FinetuneReport).model_copy(update={"mode": "full"})
    reports.write("finetune", whole)
    found = privacy.audit_privacy(section(), BOOTSTRAP, Silent())
    assert found.membership is None
    assert "finetune.mode full" in found.not_evaluated["Membership inference"]


def test_features_of_other_rows_are_refused() -> None:
    path = Path("build/features/train.npy")
    np.save(path, np.load(path)[1:])
    with pytest.raises(InputError, match=r"train\.npy: 299 rows for the 300"):
        rows.read_features("train", rows.read_split("train"))
    path.unlink()
    with pytest.raises(InputError, match=r"train\.npy: not found; run `dvc repro features`"):
        rows.read_features("train", rows.read_split("train"))
