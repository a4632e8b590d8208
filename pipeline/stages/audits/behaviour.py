"""The classifier on test texts changed in ways that should, or should not, change its answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pipeline.measure.behaviour import judge_behaviour
from pipeline.measure.counterfactual import Answers
from pipeline.measure.intervals import Bootstrap
from pipeline.params import AuditParams
from pipeline.reports import Behaviour
from pipeline.stages.audits.counterfactuals import load_classifier, write_answers
from pipeline.stages.audits.tested import Tested
from pipeline.text import checklist
from pipeline.track import Track

TESTS: dict[str, tuple[Literal["invariance", "direction"], Callable[[str], str | None]]] = {
    "typos": ("invariance", checklist.add_typo),
    "case": ("invariance", checklist.change_case),
    "negation": ("direction", checklist.add_negation),
}


def check_behaviour(
    tested: Tested, params: AuditParams, bootstrap: Bootstrap, track: Track, folder: Path
) -> tuple[Behaviour, ...]:
    """Run the tests of ``audit.behaviour``; write behaviour.parquet."""
    if not params.behaviour:
        return ()
    classify = load_classifier(track)
    answers: dict[str, tuple[Answers, Answers]] = {}
    for name in params.behaviour:
        change = TESTS[name][1]
        # Rows are sorted by id, which is a hash: the first of them are a random sample.
        changed = {row: new for row, text in enumerate(tested.texts) if (new := change(text))}
        rows = list(changed)[: params.max_behaviour_texts]
        before = Answers([tested.texts[row] for row in rows], tested.outcomes.probabilities[rows])
        answers[name] = before, classify([changed[row] for row in rows])
    write_answers(answers, folder / "behaviour.parquet")
    return tuple(
        judge_behaviour(name, TESTS[name][0], before, after, bootstrap)
        for name, (before, after) in answers.items()
    )
