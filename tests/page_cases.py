"""Reports that are hard to show: hostile, undefined, too many, too few, too long."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import report_factory
from report_factory import estimate

from pipeline import files, params, reports
from pipeline.reports import Estimate, Report
from pipeline.stages import report
from pipeline.stages.audits import canaries, preferences
from pipeline.track import Silent

ROOT = Path(__file__).parents[1]
HOSTILE = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
UNDEFINED = Estimate(point=None, low=None, high=None, n=7, note="fewer than 50 rows")
BUDGET = reports.PrivateFit(
    epsilon=7.99, delta=1e-5, clip_norm=1, noise_multiplier=0.83, sample_rate=0.02, steps=2850
)
PROVENANCE = {
    "source": "packages",
    "files": {
        "corpus/news.jsonl": {
            "package": "newspack",
            "version": "1.2",
            "licence": "MIT",
            "content_licence": None,
            "rows": 3788,
            "sha256": "4" * 64,
        },
        "labelled/rows.jsonl": {
            "package": "ratings",
            "version": "0.5",
            "licence": "MIT",
            "content_licence": "CC BY 4.0",
            "rows": 20837,
            "sha256": "5" * 64,
        },
    },
}
Reports = dict[str, Report]
Change = Callable[[Reports], Reports]


def make_page(
    change: Change = dict,
    provenance: Any = PROVENANCE,
    title: str = "A title",
    language: Literal["en", "zh"] = "en",
) -> reports.PageReport:
    """Run the stage in the working directory on the factory's reports, changed."""
    shutil.copy(ROOT / "policy.yaml", "policy.yaml")
    files.write_json(Path("data/PROVENANCE.json"), provenance)
    for stage, made in change(report_factory.make(files.sha256_file(Path("policy.yaml")))).items():
        reports.write(stage, made)
    return report.run(
        params.ReportParams(title=title, language=language, licence="apache-2.0"), Silent()
    )


def read_page() -> str:
    """Return index.html as the stage left it."""
    return Path("build/report/index.html").read_text(encoding="utf-8")


def replaced(made: Reports, stage: str, **changes: Any) -> Reports:
    """Return the reports with fields of one stage's report replaced."""
    return {**made, stage: made[stage].model_copy(update=changes)}


def renamed(made: Reports, names: dict[str, str]) -> Reports:
    """Return the reports with every occurrence of some texts replaced by others.

    The mitigation that is called "none" keeps its name, which is not the data's.
    """
    text = json.dumps({stage: report.model_dump(mode="json") for stage, report in made.items()})
    for old, new in names.items():
        free = rf'(?<!"mitigation": )(?<!"shipped": )(?<!"method": ){re.escape(json.dumps(old))}'
        text = re.sub(free, lambda _, new=new: json.dumps(new), text)
    kinds = reports.STAGE_REPORTS
    return {
        stage: kinds[stage].model_validate_json(json.dumps(raw))
        for stage, raw in json.loads(text).items()
    }


def hostile(made: Reports) -> Reports:
    """Markup in every place that takes its text from data."""
    names = {"negative": f"a{HOSTILE}", "movie": f"b{HOSTILE}", "news": f"c{HOSTILE}"}
    names |= {"gender": f"d{HOSTILE}", "female": f"e{HOSTILE}", "crows_pairs.csv": f"f{HOSTILE}"}
    names |= {"data/labelled/sentiment.jsonl:7: a duplicate": f"g{HOSTILE}"}
    names |= {"He was <b>great</b>.": f"h{HOSTILE}", "39 rows, fewer than 50": f"i{HOSTILE}"}
    return renamed(made, names)


def long_names(made: Reports) -> Reports:
    """Labels, groups and texts with nowhere to break a line."""
    names = {"negative": "n" * 120, "movie": "m" * 120, "gender": "g" * 90, "news": "w" * 120}
    return renamed(made, {**names, "He was <b>great</b>.": "He was great. " * 60 + "t" * 300})


def three_labels(made: Reports) -> Reports:
    """Three labels: no threshold, a matrix of nine cells, rates of each label."""
    labels = ("negative", "neutral", "positive")
    made = replaced(made, "finetune", labels=labels, threshold=None)
    return _with_labels(made, labels, ((50, 3, 2), (4, 60, 5), (6, 7, 70)))


def many_labels(made: Reports) -> Reports:
    """As many labels as banking77 has."""
    labels = tuple(f"intent_{number:02}" for number in range(77))
    matrix = tuple(
        tuple(40 if i == j else (i + j) % 3 for j in range(len(labels))) for i in range(len(labels))
    )
    made = replaced(made, "finetune", labels=labels, threshold=None)
    return _with_labels(made, labels, matrix)


def _with_labels(made: Reports, labels: tuple[str, ...], confusion: Any) -> Reports:
    evaluate: Any = made["evaluate"]
    of_class = {name: estimate(0.8, 0.02) for name in ("precision", "recall", "f1")}
    model = evaluate.model.model_copy(
        update={"per_class": dict.fromkeys(labels, of_class), "confusion": confusion}
    )
    audit: Any = made["audit"]
    groups = {
        column: tuple(
            score.model_copy(update={"label": label}) for score in scores for label in labels[:3]
        )
        for column, scores in audit.groups.items()
    }
    made = replaced(made, "evaluate", model=model)
    return replaced(made, "audit", groups=groups)


def many_groups(made: Reports) -> Reports:
    """Thirty groups of one column."""
    evaluate: Any = made["evaluate"]
    audit: Any = made["audit"]
    values = [f"group {number}" for number in range(30)]
    scores = {value: estimate(0.7 + 0.005 * index) for index, value in enumerate(values)}
    one = audit.groups["domain"][0]
    made = replaced(
        made,
        "evaluate",
        model=evaluate.model.model_copy(update={"per_group": {"domain": scores}}),
    )
    rates = tuple(one.model_copy(update={"value": value}) for value in values)
    return replaced(made, "audit", groups={"domain": rates})


def one_group(made: Reports) -> Reports:
    """One group only: no gap can be measured."""
    audit: Any = made["audit"]
    gaps = tuple(
        gap.model_copy(update={"gap": UNDEFINED, "widest": ("", "")}) for gap in audit.gaps
    )
    return replaced(made, "audit", gaps=gaps, groups={"domain": audit.groups["domain"][:1]})


def nothing_audited(made: Reports) -> Reports:
    """No groups, no exchanges, no benchmark, no attack; a language model that knows no language."""
    whys = {"Membership inference": "no reason given", canaries.CANARIES: canaries.INCOMPETENT}
    made = replaced(made, "export", torch_bytes=None, formats=())
    return replaced(
        made,
        "audit",
        groups={},
        gaps=(),
        counterfactuals=(),
        crows_pairs=None,
        intrinsic=preferences.refuse(preferences.INCOMPETENT),
        privacy=reports.PrivacyReport(membership=None, not_evaluated=whys),
        competent=False,
        competence="data/benchmarks/crows_pairs.csv is absent",
    )


def untrained(made: Reports) -> Reports:
    """No step of training: the initial weights are kept."""
    made = replaced(made, "pretrain", curve=(), tokens=0, steps=0, origin="scratch")
    return replaced(made, "finetune", curve=())


def smaller_and_private(made: Reports) -> Reports:
    """An encoder cut, taught and rounded, a head with differential privacy, a found secret."""
    audit: Any = made["audit"]
    (of_words, *_), secrets = audit.intrinsic.associations, audit.privacy.canaries
    pairs = {"targets": ("MaleNames", "FemaleNames"), "attributes": ("Career", "Family")}
    of_sentences = of_words.model_copy(update={"name": "SEAT sent-weat6", **pairs})
    levels = tuple(
        level.model_copy(update={"p_value": 0.001 if level.repeats > 1 else 0.33})
        for level in secrets.levels
    )
    found = secrets.model_copy(update={"levels": levels})
    made = replaced(
        made,
        "audit",
        intrinsic=audit.intrinsic.model_copy(update={"sentences": (of_sentences,)}),
        privacy=audit.privacy.model_copy(update={"canaries": found}),
    )
    losses = {"teacher_loss": 5.63, "initial_loss": 9.1, "final_loss": 5.9}
    made = replaced(made, "compress", method="distil", parameters=18_000_000, tokens=9, **losses)
    rounding = reports.Rounding(texts=64, difference=0.0289, cosine=0.99993)
    made = replaced(made, "features", precision="bfloat16", rounding=rounding)
    return replaced(made, "finetune", private=BUDGET)


def undefined_figures(made: Reports) -> Reports:
    """Figures that could not be computed: the accuracy, a gap, a change that gives no reason."""
    evaluate: Any = made["evaluate"]
    audit: Any = made["audit"]
    undefined: dict[str, Any] = dict.fromkeys(("accuracy", "roc_auc", "ece"), UNDEFINED)
    undefined["per_group"] = {"domain": {"movie": UNDEFINED, "news": estimate(0.7)}}
    model = evaluate.model.model_copy(update=undefined)
    gaps = tuple(
        gap.model_copy(update={"gap": UNDEFINED, "widest": ("", "")})
        if (gap.column, gap.metric) == ("gender", "accuracy")
        else gap
        for gap in audit.gaps
    )
    unexplained = UNDEFINED.model_copy(update={"note": ""})
    swap = audit.counterfactuals[0].model_copy(update={"mean_change": unexplained})
    made = replaced(made, "evaluate", model=model)
    return replaced(made, "audit", gaps=gaps, counterfactuals=(swap,))


ODD: dict[str, Change] = {
    "as usual": dict,
    "hostile": hostile,
    "long names": long_names,
    "three labels": three_labels,
    "77 labels": many_labels,
    "30 groups": many_groups,
    "one group": one_group,
    "nothing audited": nothing_audited,
    "untrained": untrained,
    "smaller and private": smaller_and_private,
    "undefined figures": undefined_figures,
}
