"""What can be learnt of the training rows from the trained head."""

import numpy as np
import torch

from pipeline import layout, reports
from pipeline import params as settings
from pipeline.adapters import rows
from pipeline.encoder.fitting import Sample
from pipeline.encoder.head import load_head
from pipeline.encoder.shadows import fit_shadows
from pipeline.measure import membership
from pipeline.measure.intervals import Bootstrap
from pipeline.params import AuditParams
from pipeline.reports import FinetuneReport, Membership, PrivacyReport
from pipeline.stages._material import read_sample
from pipeline.track import Track

MEMBERSHIP = "Membership inference"
_WHOLE = "the whole model was trained (finetune.mode full): each shadow model would be a finetuning"


def audit_privacy(params: AuditParams, bootstrap: Bootstrap, track: Track) -> PrivacyReport:
    """Attack the head, where there is one: shadows of a whole model would take too long."""
    trained = reports.read(FinetuneReport)
    if trained.mode == "full":
        return PrivacyReport(membership=None, not_evaluated={MEMBERSHIP: _WHOLE})
    return PrivacyReport(
        membership=infer_membership(trained, params, bootstrap, track), not_evaluated={}
    )


def infer_membership(
    trained: FinetuneReport, params: AuditParams, bootstrap: Bootstrap, track: Track
) -> Membership:
    """Tell training rows from test rows by the head's answers to them.

    Rows are sorted by id, which is a hash: the first of each part are a random sample. The shadow
    heads learn of test rows too, and are thrown away.
    """
    limits = {"train": params.max_members, "test": params.max_members, "validation": None}
    members, others, validation = (_read_first(part, limit) for part, limit in limits.items())
    pool = Sample(
        torch.cat([members.features, others.features]), torch.cat([members.labels, others.labels])
    )
    labels = pool.labels.numpy()
    learnt = membership.draw_halves(params.shadow_heads, len(labels), params.seed)
    shadows = fit_shadows(
        *(pool, validation, len(trained.labels), learnt, settings.load().finetune),
        progress=lambda done, total: track.progress(done, total, "shadow heads"),
    )
    with torch.no_grad():
        target = load_head(layout.stage_dir("finetune"))(pool.features).numpy()
    target[:, 1] -= trained.logit_shift  # shadow heads have none
    ratios = membership.likelihood_ratios(
        membership.confidence(target, labels), membership.confidence(shadows, labels), learnt
    )
    member = np.arange(len(labels)) < len(members.labels)
    return membership.judge_membership(ratios, member, learnt, bootstrap)


def _read_first(part: str, limit: int | None) -> Sample:
    read = rows.read_split(part)
    return read_sample(part, read).at(torch.arange(len(read.ids))[:limit])
