"""Whether `retrain` has anything to do."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from flows import graph, history
from pipeline import layout, params, publish, trust
from pipeline.adapters.registry import Registry, Version
from pipeline.champion import CHAMPION
from pipeline.errors import InputError
from pipeline.params import Params
from pipeline.policy import rules
from pipeline.reports.drift import DriftReport

When = Literal["always", "data", "drift"]


@dataclass(frozen=True)
class Answer:
    """Whether to run, and why."""

    run: bool
    why: str
    report: DriftReport | None = None  # where drift was looked for

    def markdown(self) -> str:
        """Return the answer, and what it rests on as a table."""
        words = "Retrains" if self.run else "Skipped"
        table = _table(self.report) if self.report and self.report.tests else ""
        return f"## {words}\n\n{self.why}\n\n{table}"


def ask(when: When) -> Answer:
    """Say whether to retrain; if that cannot be known, the answer is yes.

    Args:
        when: ``always``; ``data``, if DVC's hash of data/ is not the champion's; ``drift``, if
            besides the new labelled rows differ from the champion's beyond chance.

    Raises:
        InputError: where data/ is not what data.dvc records, or MLflow cannot be reached.
    """
    if layout.DATA.is_dir():  # training data must be on record, whatever `when` is
        graph.check_data()
    if when == "always":
        return Answer(True, "asked to run in any case")
    settings = params.load()
    registry = Registry(settings.bundle.name)
    champion = registry.at(CHAMPION)
    if champion is None:
        return Answer(True, f"{settings.bundle.name} has no champion")
    now, then = publish.data_md5(), champion.tags.get("data_md5")
    if then is None:
        return Answer(True, f"version {champion.number} does not say what data it was made from")
    if now == then:
        return Answer(False, f"data/ is what version {champion.number} was made from ({now[:12]})")
    if when == "data":
        return Answer(True, f"data/ is {now[:12]}; version {champion.number} is of {then[:12]}")
    return _ask_drift(settings, registry, champion, now)


def _ask_drift(settings: Params, registry: Registry, champion: Version, now_md5: str) -> Answer:
    from pipeline import drift  # with SciPy, which takes a second

    names = settings.validate_.labels
    layout.STATE.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=layout.STATE) as work:
            history.link_labelled(champion.tags["data_md5"], Path(work))
            known = drift.read_labelled(Path(work), names)
        now = drift.read_labelled(layout.LABELLED, names)
        origin = drift.Origin(champion.number, champion.tags["data_md5"], now_md5)
        embed = _Embedder(registry, champion)
        report = drift.compare(now, known, origin, settings.drift, embed)
    except InputError as error:
        return Answer(True, f"cannot tell whether the rows have drifted: {error}")
    drift.write(report)
    return Answer(bool(report.drifted), report.note, report)


@dataclass(frozen=True)
class _Embedder:
    """The champion's encoder, verified and loaded on the first call."""

    registry: Registry
    champion: Version

    def __call__(self, texts: Sequence[str], /) -> np.ndarray:
        from pipeline.encoder import represent

        checked = trust.check_version(self.registry, self.champion, rules.load())
        return represent.load_bundle(checked.folder)(texts)


def _table(report: DriftReport) -> str:
    sides = (
        f"{report.compared_new:,} of {report.new_rows:,} new rows, against"
        f" {report.compared_known:,} of the {report.known_rows:,} of version {report.champion};"
        f" {report.permutations} permutations; alpha {report.alpha:g} over all parts (Holm)."
    )
    lines = [
        sides,
        "",
        "| part | observed | chance stays below | found if about | p | adjusted | |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {t.part}: {t.distance} | {t.observed:.3f} | {t.threshold:.3f} | {t.detectable:.3f}"
        f" | {t.p_value:.3f} | {t.p_adjusted:.3f} | {'**drift**' if t.drifted else ''} |"
        for t in report.tests
    ]
    return "\n".join(lines) + "\n"
