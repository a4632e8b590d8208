"""Explanation and privacy on a small trained model: what is known of it is found again."""

from pathlib import Path

import numpy as np
import pytest
import trained

from pipeline import params, reports
from pipeline.adapters import rows
from pipeline.errors import InputError
from pipeline.measure.intervals import Bootstrap
from pipeline.params import AuditParams
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
