"""Methods of mitigation, fitted to training rows and compared on test rows."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from pipeline import layout, reports
from pipeline import params as settings
from pipeline.adapters import rows
from pipeline.adapters.rows import Rows
from pipeline.encoder.erasure import fit_eraser, one_hot
from pipeline.encoder.fitting import Sample
from pipeline.encoder.head import Head, load_head
from pipeline.encoder.mitigation import METHODS, Material, fit_mitigated, why_not
from pipeline.measure import mitigation, probes, reductions
from pipeline.measure.intervals import Bootstrap
from pipeline.measure.mitigation import Frame, Trial
from pipeline.measure.outcomes import Outcomes
from pipeline.params import AuditParams, FinetuneParams
from pipeline.params import MitigationMethod as Method
from pipeline.reports import FinetuneReport, Mitigation, Probe
from pipeline.stages._material import read_groups, read_material, read_sample
from pipeline.track import Track, timed

_PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Bench:
    """What all methods share: samples and groups (n,) by part, and how heads are fitted."""

    samples: Mapping[str, Sample]
    groups: Mapping[str, np.ndarray]
    material: Material
    params: FinetuneParams
    finetuned: FinetuneReport


def compare_mitigations(params: AuditParams, bootstrap: Bootstrap, track: Track) -> Mitigation:
    """Compare each method that the rows allow with none; test rows are only for scoring."""
    finetune, finetuned = settings.load().finetune, reports.read(FinetuneReport)
    column, wanted = finetune.mitigate_column, params.mitigation
    opening = Mitigation(column=column, constraint=wanted.constraint, shipped=finetuned.mitigation)
    parts = {part: rows.read_split(part) for part in _PARTS}
    if note := _why_nothing(parts, column, finetuned):
        return opening.model_copy(update={"note": note})
    assert column is not None
    bench = _set_up(parts, column, finetuned, track)
    trials, left_out = _run_trials(bench, wanted.constraint, track)
    values = np.unique(np.concatenate(list(bench.groups.values()))).tolist()
    frames = {
        part: Frame(column, bench.groups[part], values, wanted.constraint, params.min_group_rows)
        for part in _PARTS
    }
    scores = mitigation.score_trials(trials, frames["validation"], frames["test"], bootstrap)
    choice = mitigation.choose_best(scores, wanted.max_accuracy_loss, wanted.group_at_use)
    return opening.model_copy(
        update={
            "methods": scores,
            "left_out": left_out,
            "best": choice.best,
            "rule": choice.rule,
            "judged_groups": mitigation.judged_groups(trials[0].validation, frames["validation"]),
            "probes": _probe(bench, params.min_group_rows, bootstrap, track),
        }
    )


def _why_nothing(parts: Mapping[str, Rows], column: str | None, finetuned: FinetuneReport) -> str:
    if column is None:
        return "finetune.mitigate_column names no column"
    if finetuned.mode == "full":
        return "the whole model was fitted, not a head on the frozen encoder"
    if finetuned.private is not None:
        return "the head is differentially private, which none of these ways is"
    found = _find_groups(parts, column)
    for part in parts:
        if part not in found:
            return f"the {part} rows have no column {column}, and no term list has it"
    if len(np.unique(found["train"])) < 2:
        return f"the training rows have one group of {column} only"
    return ""


def _find_groups(parts: Mapping[str, Rows], column: str) -> dict[str, np.ndarray]:
    """Return the groups (n,) of each part that has the column."""
    found = {part: read_groups(read, column) for part, read in parts.items()}
    return {part: groups for part, groups in found.items() if groups is not None}


def _set_up(
    parts: Mapping[str, Rows], column: str, finetuned: FinetuneReport, track: Track
) -> Bench:
    with timed(track, "mitigation_swap_s"):
        material = read_material(parts, column, swap=True, track=track)
    test = read_sample("test", parts["test"])
    samples = {"train": material.train, "validation": material.validation, "test": test}
    groups = _find_groups(parts, column)
    return Bench(samples, groups, material, settings.load().finetune, finetuned)


def _run_trials(
    bench: Bench, constraint: mitigation.Constraint, track: Track
) -> tuple[list[Trial], dict[str, str]]:
    """Try all methods; return the trials, and why a method is left out."""
    heads, left_out = _fit_heads(bench, track)
    trials = [_ask_head(method, head, bench) for method, head in heads.items()]
    names = bench.finetuned.labels
    objection = why_not("reweigh", bench.material, names)  # these too need every label in a group
    if len(names) > 2:
        objection = "fairlearn has it for two labels"
    if objection:
        return trials, left_out | dict.fromkeys(("reductions", "thresholds"), objection)
    with timed(track, "mitigation_reductions_s"):
        trials.append(_try_reduction(bench, constraint))
    with timed(track, "mitigation_thresholds_s"):
        trials.append(_try_thresholds(heads["none"], bench, constraint))
    return trials, left_out


def _fit_heads(bench: Bench, track: Track) -> tuple[dict[Method, Head], dict[str, str]]:
    """Fit a head by each method, except the shipped head, which is loaded."""
    heads: dict[Method, Head] = {}
    left_out: dict[str, str] = {}
    labels = bench.finetuned.labels
    for method in METHODS:
        if objection := why_not(method, bench.material, labels):
            left_out[method] = objection
        elif method == bench.finetuned.mitigation:
            heads[method] = load_head(layout.stage_dir("finetune"))
        else:
            with timed(track, f"mitigation_{method}_s"):
                fitted = fit_mitigated(
                    method, bench.material, len(labels), bench.params, lambda _: None
                )
            heads[method] = fitted.head
    return heads, left_out


def _ask_head(method: Method, head: Head, bench: Bench) -> Trial:
    validation, test = (
        _outcomes(bench, part, _probabilities(head, bench.samples[part]))
        for part in ("validation", "test")
    )
    return Trial(method, validation, test)


def _try_reduction(bench: Bench, constraint: mitigation.Constraint) -> Trial:
    train, params = bench.samples["train"], bench.params
    answer = reductions.fit_reduction(
        *(train.features.numpy(), train.labels.numpy(), bench.groups["train"]),
        constraint=constraint,
        l2=params.frozen.l2,
        seed=params.seed,
    )
    said = (answer(bench.samples[part].features.numpy()) for part in ("validation", "test"))
    validation, test = (np.eye(2)[answers] for answers in said)
    return Trial(
        "reductions",
        _outcomes(bench, "validation", validation),
        _outcomes(bench, "test", test),
        random_answers=True,
    )


def _try_thresholds(head: Head, bench: Bench, constraint: mitigation.Constraint) -> Trial:
    """Choose thresholds by group for the head without mitigation, on training rows."""
    probabilities = {
        part: _probabilities(head, sample)[:, 1] for part, sample in bench.samples.items()
    }
    labels, groups = bench.samples["train"].labels.numpy(), bench.groups
    answer = reductions.fit_thresholds(
        probabilities["train"], labels, groups["train"], constraint, bench.params.seed
    )
    validation, test = (
        np.eye(2)[answer(probabilities[part], groups[part])] for part in ("validation", "test")
    )
    return Trial(
        "thresholds",
        _outcomes(bench, "validation", validation),
        _outcomes(bench, "test", test),
        group_at_use=True,
        random_answers=True,
    )


def _probabilities(head: Head, sample: Sample) -> np.ndarray:
    """Return the softmax of a head's logits, (N, K) float64."""
    with torch.no_grad():
        probabilities: np.ndarray = head(sample.features).double().softmax(1).numpy()
    return probabilities


def _outcomes(bench: Bench, part: str, probabilities: np.ndarray) -> Outcomes:
    return Outcomes(bench.samples[part].labels.numpy(), probabilities, bench.finetuned.labels)


def _probe(bench: Bench, min_rows: int, bootstrap: Bootstrap, track: Track) -> tuple[Probe, ...]:
    """Measure how well probes find the groups in the features, before and after LEACE.

    Groups with fewer test rows than ``min_rows`` are left out of the probes but are erased too.
    """
    values, counts = np.unique(bench.groups["test"], return_counts=True)
    known = np.intersect1d(values[counts >= min_rows], bench.groups["train"])
    if len(known) < 2:
        return ()
    kept = {part: np.isin(bench.groups[part], known) for part in ("train", "test")}
    plain = {part: bench.samples[part].features.numpy() for part in kept}
    erase = fit_eraser(plain["train"], one_hot(bench.groups["train"]))
    erased = {part: erase(features) for part, features in plain.items()}
    found = []
    with timed(track, "mitigation_probes_s"):
        for kind, features in itertools.product(probes.KINDS, (plain, erased)):
            probe = probes.fit_probe(
                kind,
                features["train"][kept["train"]],
                bench.groups["train"][kept["train"]],
                bench.params.seed,
            )
            score = probes.score_probe(
                probe,
                features["test"][kept["test"]],
                bench.groups["test"][kept["test"]],
                bootstrap,
            )
            found.append(
                Probe(
                    kind=kind,
                    erased=features is erased,
                    balanced_accuracy=score,
                    chance=1 / len(known),
                )
            )
    return tuple(found)
