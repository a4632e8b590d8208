"""Audit: gaps between groups, counterfactuals, and what the language model prefers.

What is measured is in the folder audits, one file a kind of audit.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator

from pipeline import layout
from pipeline.measure import plots
from pipeline.measure.intervals import Bootstrap
from pipeline.params import AuditParams
from pipeline.reports import AuditReport
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
from pipeline.track import Track

OUT = layout.stage_dir("audit")


def run(params: AuditParams, track: Track) -> AuditReport:
    """Write build/audit: a table of the items of each kind of audit, and plots/gaps.svg.

    Raises:
        InputError: where an earlier stage has not run, a declared column of groups is absent, or
            a benchmark is not what its authors publish.
    """
    shutil.rmtree(OUT, ignore_errors=True)  # a file that is not made again would seem to be
    bootstrap = Bootstrap(params.confidence, params.resamples, params.seed)
    tested = read_tested()
    with _timed(track, "gaps_s"):
        chosen = columns.read_columns(params, tested)
        scores, gaps = groups.compare_groups(tested, chosen, params, bootstrap)
    with _timed(track, "counterfactuals_s"):
        swaps = counterfactuals.compare_counterfactuals(tested, params, bootstrap, track, OUT)
    with _timed(track, "behaviour_s"):
        behaved = behaviour.check_behaviour(tested, params, bootstrap, track, OUT)
    with _timed(track, "mitigation_s"):
        compared = mitigation.compare_mitigations(params, bootstrap, track)
    with _timed(track, "explanation_s"):
        explained = explanation.explain(tested, params, bootstrap, track)
    with _timed(track, "privacy_s"):
        exposed = privacy.audit_privacy(params, bootstrap, track)
    with _timed(track, "crows_pairs_s"):
        pretrained = intrinsic.read_pretrained()
        competent, why = intrinsic.judge_competence(pretrained, params.competence_nats)
        asker = preferences.load_asker(params, track, OUT) if competent else None
        pairs = (
            intrinsic.score_pairs(asker.model, asker.tokenizer, params, track, OUT)
            if asker
            else None
        )
    with _timed(track, "other_benchmarks_s"):
        preferred = (
            preferences.measure(asker, bootstrap)
            if asker
            else preferences.refuse(preferences.INCOMPETENT)
        )
    with _timed(track, "canaries_s"):
        exposed = canaries.add_canaries(exposed, asker)
    plots.save(plots.gaps(gaps), OUT / "plots" / "gaps.svg")
    return AuditReport(
        groups=scores,
        group_sources={name: column.source for name, column in chosen.items()},
        gaps=gaps,
        counterfactuals=swaps,
        behaviour=behaved,
        crows_pairs=pairs,
        intrinsic=preferred,
        mitigation=compared,
        explanation=explained,
        privacy=exposed,
        competent=competent,
        competence=why,
        benchmark_digests=intrinsic.benchmark_digests() | preferences.digests(),
    )


@contextlib.contextmanager
def _timed(track: Track, name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    track.metrics({name: time.monotonic() - started}, step=0)
