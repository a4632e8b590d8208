"""What the trained head reveals about its training rows."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from pipeline import layout, reports
from pipeline import params as settings
from pipeline.adapters import rows
from pipeline.adapters.rows import Rows
from pipeline.encoder.fitting import Sample
from pipeline.encoder.head import load_head
from pipeline.encoder.mitigation import Material, why_not
from pipeline.encoder.shadows import batch_rows, fit_shadows
from pipeline.measure import membership
from pipeline.measure.intervals import Bootstrap
from pipeline.params import AuditParams, FinetuneParams
from pipeline.reports import FinetuneReport, Membership, PrivacyReport
from pipeline.stages._material import make_material, read_sample
from pipeline.track import Track

MEMBERSHIP = "Membership inference"
_WHOLE = "the whole model was trained (finetune.mode full): each shadow model would be a finetuning"
_OTHERWISE = "the shadow heads cannot be fitted as the head was"


class Pool(NamedTuple):
    """The rows under attack, in the form that shadow heads are fitted to."""

    material: Material
    member: np.ndarray  # (N,) bool: the head learnt it


def audit_privacy(params: AuditParams, bootstrap: Bootstrap, track: Track) -> PrivacyReport:
    """Attack the head, if there is one: shadows of a whole model would take too long."""
    trained = reports.read(FinetuneReport)
    if trained.mode == "full":
        return _not_attacked(_WHOLE)
    finetune = settings.load().finetune
    pool = _read_pool(params.max_members, finetune, track)
    if objection := why_not(finetune.mitigation, pool.material, trained.labels):
        return _not_attacked(f"{_OTHERWISE}: {objection}")
    found = infer_membership(pool, trained, params, bootstrap, track)
    return PrivacyReport(membership=found, not_evaluated={})


def _not_attacked(why: str) -> PrivacyReport:
    return PrivacyReport(membership=None, not_evaluated={MEMBERSHIP: why})


def infer_membership(
    pool: Pool, trained: FinetuneReport, params: AuditParams, bootstrap: Bootstrap, track: Track
) -> Membership:
    """Measure how well training rows can be told from test rows by the head's answers.

    Shadow heads are fitted to test rows too, and are thrown away.
    """
    sample, finetune = pool.material.train, settings.load().finetune
    labels = sample.labels.numpy()
    learnt = membership.draw_halves(params.shadow_heads, len(labels), params.seed)
    shadows = fit_shadows(
        *(pool.material, len(trained.labels), learnt, finetune),
        progress=lambda done, total: track.progress(done, total, "shadow heads"),
    )
    with torch.no_grad():
        target = load_head(layout.stage_dir("finetune"))(sample.features).numpy()
    target[:, 1] -= trained.logit_shift  # shadow heads have none
    ratios = membership.likelihood_ratios(
        membership.confidence(target, labels), membership.confidence(shadows, labels), learnt
    )
    found = membership.judge_membership(ratios, pool.member, learnt, bootstrap)
    batch = batch_rows(finetune, found.shadow_rows)
    smaller = batch if batch < finetune.frozen.batch_rows else None
    return found.model_copy(update={"shadow_batch_rows": smaller})


def _read_pool(limit: int | None, finetune: FinetuneParams, track: Track) -> Pool:
    """Read the first rows of the training and of the test part, and all validation rows.

    Rows are sorted by id, which is a hash: the first of each part are a random sample.
    """
    parts = {part: rows.read_split(part) for part in ("train", "test", "validation")}
    samples = {part: read_sample(part, read) for part, read in parts.items()}
    kept = {part: torch.arange(len(parts[part].ids))[:limit] for part in ("train", "test")}
    first = [samples[part].at(some) for part, some in kept.items()]
    pool = Sample(torch.cat([p.features for p in first]), torch.cat([p.labels for p in first]))
    method = finetune.mitigation
    material = make_material(
        _join(parts, limit),
        None if method == "none" else finetune.mitigate_column,
        method == "augment",
        track,
        train=pool,
        validation=samples["validation"],
    )
    return Pool(material, np.arange(len(pool.labels)) < len(kept["train"]))


def _join(parts: Mapping[str, Rows], limit: int | None) -> Rows:
    """Return the first training rows and after them the first test rows."""
    train, test = parts["train"], parts["test"]
    columns = train.groups.keys() & test.groups.keys()
    return Rows(
        train.ids[:limit] + test.ids[:limit],
        train.texts[:limit] + test.texts[:limit],
        np.concatenate([train.labels[:limit], test.labels[:limit]]),
        {
            name: np.concatenate([train.groups[name][:limit], test.groups[name][:limit]])
            for name in columns
        },
    )
