"""The model card: Markdown below YAML front matter that the Hugging Face hub understands."""

import html
import re
from typing import Any

import yaml

from pipeline.reports import Estimate
from pipeline.stages.page import (
    canaries,
    data,
    explanation,
    figures,
    language,
    limits,
    names,
    origins,
    preferences,
    privacy,
    scores,
    verdict,
)
from pipeline.stages.page.evidence import Evidence
from pipeline.stages.page.render import Cited, environment

_HUB_METRICS = {  # ours -> the hub's
    "accuracy": "accuracy",
    "macro_f1": "f1",
    "roc_auc": "roc_auc",
    "brier": "brier_score",
}
_LANGUAGE = "en"  # of the texts that the model labels
_MARKS = re.compile(r"([\\`*_#|~$])|\](?=[(:\[])")


def card(evidence: Evidence) -> str:
    """Return model_card.md; text that comes from data is escaped for YAML and for Markdown."""
    front = yaml.safe_dump(
        front_matter(evidence), sort_keys=False, allow_unicode=True, width=10_000
    )
    with language.speaking(evidence.params.language):
        body = environment(finalize=escape).get_template("card.md").render(_views(evidence))
    return f"---\n{front}---\n\n{body}"


def escape(value: Any) -> str:
    """Return a value as one line of Markdown, with markup, links and table cells escaped."""
    if isinstance(value, Cited):
        return value
    line = html.escape(" ".join(str(value).split()), quote=False)
    return _MARKS.sub(lambda mark: f"\\{mark[0]}", line)


def front_matter(evidence: Evidence) -> dict[str, Any]:
    """Return the card's metadata, as hf.co/docs/hub/model-cards describes it."""
    architecture = evidence.pretrain.architecture
    base, datasets = base_model(evidence), origins.names(evidence.provenance, "labelled")
    return {
        "language": _LANGUAGE,
        "license": evidence.params.licence,
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": ["text-classification", architecture],
        **({"base_model": base} if base else {}),
        **({"datasets": datasets} if datasets else {}),
        "metrics": list(_HUB_METRICS.values()),
        "model-index": [{"name": evidence.params.title, "results": [_result(evidence, datasets)]}],
    }


def base_model(evidence: Evidence) -> str | None:
    """Return the name of the model that pretraining continues; None if from scratch or unknown."""
    origin = evidence.pretrain.origin
    if origin == "scratch":
        return None
    if origin.startswith("data/"):
        known = origins.names(evidence.provenance, origin.removeprefix("data/").rstrip("/"))
        return known[0] if len(known) == 1 else None
    return origin


def _result(evidence: Evidence, datasets: list[str]) -> dict[str, Any]:
    title = evidence.params.title
    model = evidence.evaluate.model
    measured = [(name, getattr(model, name)) for name in _HUB_METRICS]
    return {
        "task": {"type": "text-classification", "name": "Text classification"},
        "dataset": {"name": title, "type": datasets[0] if datasets else "local", "split": "test"},
        "metrics": [_metric(name, e) for name, e in measured if e.point is not None],
    }


def _metric(name: str, estimate: Estimate) -> dict[str, Any]:
    assert estimate.point is not None
    return {
        "type": _HUB_METRICS[name],
        "name": f"{names.plain(name)}, {figures.figure(estimate)}",
        "value": round(estimate.point, 4),
    }


def _views(evidence: Evidence) -> dict[str, Any]:
    evaluate, audit = evidence.evaluate, evidence.audit
    rivals = {"this_model": evaluate.model, **dict(sorted(evaluate.baselines.items()))}
    return {
        **vars(evidence),
        "sentence": verdict.sentence(evidence.decision),
        "accuracy_in_words": scores.in_words(evaluate),
        "base": base_model(evidence),
        "personal": data.personal_in_words(evidence.validate),
        "sources": origins.summary(evidence.provenance),
        "rivals": [names.plain(name) for name in rivals],
        "rows": [
            (
                names.plain(metric),
                [figures.figure(getattr(rivals[name], metric)) for name in rivals],
            )
            for metric in ("accuracy", "macro_f1", "roc_auc", "brier", "ece")
        ],
        "gaps": [
            (names.plain(gap.column, first=False), names.plain(gap.metric), figures.figure(gap.gap))
            for gap in audit.gaps
        ],
        "flips": [
            (names.plain(each.name), figures.figure(each.flip_rate))
            for each in audit.counterfactuals
        ],
        "behaviour": [
            (
                names.plain(each.name),
                names.plain(each.kind, first=False),
                figures.figure(each.failure_rate),
            )
            for each in audit.behaviour
        ],
        "crows_pairs": audit.crows_pairs and figures.figure(audit.crows_pairs.score, digits=1),
        "preferences": preferences.table(audit),
        "explanation": explanation.in_words(audit.explanation),
        "membership": privacy.in_words(audit.privacy),
        "private": privacy.private_in_words(evidence.finetune),
        "canaries": canaries.in_words(audit.privacy),
        "rules": verdict.rules(evidence.decision),
        "limits": limits.told(),
    }
