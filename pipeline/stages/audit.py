"""Audit: gaps between groups, counterfactuals, and what the language model prefers.

The audits are in the folder audits, one file for each kind.
"""

import shutil
from typing import NamedTuple

from pipeline import layout
from pipeline.measure import plots
from pipeline.measure.intervals import Bootstrap
from pipeline.params import AuditParams
from pipeline.reports import AuditReport, IntrinsicReport, PairScore, PrivacyReport
from pipeline.stages.audits import (
    behaviour,
    canaries,
    columns,
    counterfactuals,
    explanation,
    groups,
    intrinsic,
    mitigation,
    preferences,
    privacy,
)
from pipeline.stages.audits.tested import read_tested
from pipeline.track import Track, timed

OUT = layout.stage_dir("audit")


class LanguageModelFindings(NamedTuple):
    """What the language model prefers and remembers, if it is good enough for that to mean much."""

    competent: bool
    why: str  # it is competent or not
    pairs: PairScore | None
    preferred: IntrinsicReport
    privacy: PrivacyReport


def run(params: AuditParams, track: Track) -> AuditReport:
    """Write build/audit: a table of the items of each kind of audit, and plots/gaps.svg.

    Raises:
        InputError: where an earlier stage has not run, a declared column of groups is absent, or
            a benchmark is not what its authors publish.
    """
    shutil.rmtree(OUT, ignore_errors=True)  # else an old file would seem to be of this run
    bootstrap = Bootstrap(params.confidence, params.resamples, params.seed)
    tested = read_tested()
    with timed(track, "gaps_s"):
        chosen = columns.read_columns(params, tested)
        scores, gaps = groups.compare_groups(tested, chosen, params, bootstrap)
        plots.save(plots.gaps(gaps), OUT / "plots" / "gaps.svg")
    with timed(track, "counterfactuals_s"):
        swaps = counterfactuals.compare_counterfactuals(tested, params, bootstrap, track, OUT)
    with timed(track, "behaviour_s"):
        behaved = behaviour.check_behaviour(tested, params, bootstrap, track, OUT)
    with timed(track, "mitigation_s"):
        compared = mitigation.compare_mitigations(params, bootstrap, track)
    with timed(track, "explanation_s"):
        explained = explanation.explain(tested, params, bootstrap, track)
    with timed(track, "privacy_s"):
        attacked = privacy.audit_privacy(params, bootstrap, track)
    of_model = _audit_language_model(attacked, params, bootstrap, track)
    return AuditReport(
        groups=scores,
        group_sources={name: column.source for name, column in chosen.items()},
        gaps=gaps,
        counterfactuals=swaps,
        behaviour=behaved,
        crows_pairs=of_model.pairs,
        intrinsic=of_model.preferred,
        mitigation=compared,
        explanation=explained,
        privacy=of_model.privacy,
        competent=of_model.competent,
        competence=of_model.why,
        benchmark_digests=intrinsic.benchmark_digests() | preferences.digests(),
    )


def _audit_language_model(
    attacked: PrivacyReport, params: AuditParams, bootstrap: Bootstrap, track: Track
) -> LanguageModelFindings:
    """Find what the model prefers, and what it remembers, which is added to the privacy report."""
    with timed(track, "competence_s"):
        competent, why = intrinsic.judge_competence(
            intrinsic.read_pretrained(), params.competence_nats
        )
        lm = preferences.load_language_model(params, track, OUT) if competent else None
    with timed(track, "canaries_s"):
        exposed = canaries.add_canaries(attacked, lm)
    if lm is None:
        refused = preferences.refuse(preferences.INCOMPETENT)
        return LanguageModelFindings(competent, why, None, refused, exposed)
    with timed(track, "crows_pairs_s"):
        pairs = intrinsic.score_pairs(lm.model, lm.tokenizer, params, track, OUT)
    with timed(track, "other_benchmarks_s"):
        preferred = preferences.measure(lm, bootstrap)
    return LanguageModelFindings(competent, why, pairs, preferred, exposed)
