"""The page: views of the evidence, set in templates/page.html."""

import functools
import re
from collections.abc import Callable
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.stages.page import (
    audits,
    canaries,
    data,
    explanation,
    extrinsic,
    figures,
    language,
    limits,
    mitigation,
    names,
    origins,
    preferences,
    privacy,
    scores,
    smaller,
    training,
    untested,
    verdict,
)
from pipeline.stages.page.evidence import Evidence


def page(evidence: Evidence) -> str:
    """Return index.html: one self-contained page, the same bytes for the same evidence.

    Every text that comes from data is escaped by the templates; only charts are markup.
    """
    with language.speaking(evidence.params.language):
        views = {**vars(evidence), **_opening(evidence), **_middle(evidence), **_closing(evidence)}
        return environment().get_template("page.html").render(views)


@functools.cache  # compiling the templates takes longer than filling them
def environment(finalize: Callable[[Any], str] | None = None) -> jinja2.Environment:
    """Return the templates' environment: HTML is escaped, an unknown name is an error.

    ``finalize`` is applied to every value that a template of Markdown sets, and leaves what is
    `Cited` as it is.
    """
    made: Any = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.stages.page"),
        autoescape=jinja2.select_autoescape(["html"]),
        extensions=["jinja2.ext.i18n"],
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.policies["ext.i18n.trimmed"] = True  # a message is one line
    made.install_gettext_translations(language.Spoken(), newstyle=True)
    if finalize is not None:
        made.globals["gettext"] = functools.partial(_say_in_markdown, finalize)
    made.filters |= {
        "count": figures.count,
        "decimal": figures.decimal,
        "plural": figures.plural,
        "sentence": figures.sentence,
        "plain": names.plain,
        "reported": language.reported,
        "breakable": breakable,
    }
    made.globals |= {"say": language.say, "space": language.space, "listing": figures.listing}
    return made


class Cited(str):
    """Markdown that is inserted without escaping."""

    __slots__ = ()


def _say_in_markdown(finalize: Callable[[Any], str], message: str, /, **values: Any) -> Cited:
    """Return a message, whose own marks are Markdown, filled with values that are finalized."""
    return Cited(
        language.translate(message) % {name: finalize(value) for name, value in values.items()}
    )


def breakable(text: str) -> Markup:
    """Escape a text and let a line break after the marks that join paths and names."""
    parts = re.split(r"(?<=[/._=,])(?=[^\W\d])", text)
    broken = Markup("<wbr>").join(parts)
    return (
        Markup('<span lang="en">{}</span>').format(broken)
        if isinstance(text, language.English)
        else broken
    )


def _opening(evidence: Evidence) -> dict[str, Any]:
    return {
        "promote": evidence.decision.promote,
        "sentence": verdict.sentence(evidence.decision),
        "rules": verdict.rules(evidence.decision),
        "references": verdict.references(evidence.decision),
        "accuracy_in_words": scores.in_words(evidence.evaluate),
        "tables": data.tables(evidence.validate),
        "expectations": data.expectations(evidence.validate),
        "personal_data": data.personal_data(evidence.validate),
        "splits": data.splits(evidence.split),
        "sources": data.sources(evidence.validate),
    }


def _middle(evidence: Evidence) -> dict[str, Any]:
    evaluate, finetune = evidence.evaluate, evidence.finetune
    curves = (training.pretraining(evidence.pretrain), training.head(finetune))
    return {
        "curves": [curve for curve in curves if curve is not None],
        "compressed": smaller.compressed(evidence.compress),
        "formats": smaller.formats(evidence.export),
        "losses": training.losses(evidence.pretrain),
        "encoder_unchanged": finetune.encoder_digest_before == finetune.encoder_digest_after,
        "tag": language.TAGS[evidence.params.language],
        "confidence": f"{100 * evaluate.model.accuracy.confidence:g}",
        "comparison": scores.comparison(evaluate),
        "paired": scores.paired(evaluate),
        "per_group": scores.per_group(evaluate),
        "per_class": scores.per_class(evaluate),
        "confusion": scores.confusion(evaluate),
        "confusions": scores.confusions(evaluate),
    }


def _closing(evidence: Evidence) -> dict[str, Any]:
    audit, decision, labels = evidence.audit, evidence.decision, evidence.finetune.labels
    pairs = audit.crows_pairs
    return {
        "positive": labels[1] if len(labels) == 2 else None,
        "groups": audits.groups(audit),
        "gaps": audits.gaps(audit, decision),
        "flips": audits.flips(audit, decision),
        "group_tables": extrinsic.group_tables(audit),
        "rankings": extrinsic.rankings(audit),
        "detectable": extrinsic.detectable(audit),
        "behaviour": extrinsic.behaviour(audit, decision),
        "failures": extrinsic.failures(audit),
        "changes": audits.changes(audit),
        "examples": audits.examples(audit),
        "mitigation": mitigation.view(audit.mitigation),
        "crows_pairs": None if pairs is None else audits.crows_pairs(pairs),
        "preferences": preferences.table(audit),
        "percentages": preferences.percentages(audit),
        "pronouns": preferences.pronouns(audit),
        "associations": preferences.associations(audit),
        "terms": explanation.terms(audit.explanation),
        "error_words": explanation.errors(audit.explanation),
        "faithful": explanation.faithful(audit.explanation),
        "faithful_in_words": explanation.in_words(audit.explanation),
        "membership": privacy.membership(audit.privacy),
        "membership_auc": privacy.auc(audit.privacy),
        "membership_in_words": privacy.in_words(audit.privacy),
        "private_in_words": privacy.private_in_words(evidence.finetune),
        "exposures": canaries.exposures(audit.privacy),
        "canaries_in_words": canaries.in_words(audit.privacy),
        "unevaluated": verdict.unevaluated(decision),
        "untested": untested.table(evidence.evaluate, audit),
        "limits": limits.told(),
        "files": origins.files(evidence.provenance),
        "digests": origins.digests(evidence),
    }
