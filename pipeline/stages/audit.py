"""Audit: gaps between groups, counterfactuals, and what the language model prefers.

What is measured is in the folder audits, one file a kind of audit.
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


class Asked(NamedTuple):
    """What the language model prefers and remembers, where it is good enough to be asked."""

    competent: bool
    why: str  # it is or is not
    pairs: PairScore | None
    preferred: IntrinsicReport
    privacy: PrivacyReport


def run(params: AuditParams, track: Track) -> AuditReport:
    """Write build/audit: a table of the items of each kind of audit, and plots/gaps.svg.

    Raises:
        InputError: where an earlier stage has not run, a declared column of groups is absent, or
            a benchmark is not what its authors publish.
    """
    shutil.rmtree(OUT, ignore_errors=True)  # a file that is not made again would seem to be
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
    asked = _ask_language_model(attacked, params, bootstrap, track)
    return AuditReport(
        groups=scores,
        group_sources={name: column.source for name, column in chosen.items()},
        gaps=gaps,
        counterfactuals=swaps,
        behaviour=behaved,
        crows_pairs=asked.pairs,
        intrinsic=asked.preferred,
        mitigation=compared,
        explanation=explained,
        privacy=asked.privacy,
        competent=asked.competent,
        competence=asked.why,
        benchmark_digests=intrinsic.benchmark_digests() | preferences.digests(),
    )


def _ask_language_model(
    attacked: PrivacyReport, params: AuditParams, bootstrap: Bootstrap, track: Track
) -> Asked:
    """Ask for what it prefers, and what it remembers: that goes into the report of privacy."""
    with timed(track, "competence_s"):
        competent, why = intrinsic.judge_competence(
            intrinsic.read_pretrained(), params.competence_nats
        )
        asker = preferences.load_asker(params, track, OUT) if competent else None
    with timed(track, "canaries_s"):
        exposed = canaries.add_canaries(attacked, asker)
    if asker is None:
        refused = preferences.refuse(preferences.INCOMPETENT)
        return Asked(competent, why, None, refused, exposed)
    with timed(track, "crows_pairs_s"):
        pairs = intrinsic.score_pairs(asker.model, asker.tokenizer, params, track, OUT)
    with timed(track, "other_benchmarks_s"):
        preferred = preferences.measure(asker, bootstrap)
    return Asked(competent, why, pairs, preferred, exposed)
