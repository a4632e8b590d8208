"""How well a real model remembers planted secrets, by how often each was planted.

The stages themselves are run in a temporary folder: tokenise plants the secrets in the first
documents of a workspace in which `dvc repro split` has run, pretrain continues the encoder of
params.yaml on them, and the audit ranks each secret among others. The documents are few, so that
training reads each of them several times.
"""

import contextlib
import shutil
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from pipeline import layout, params, reports
from pipeline.reports import CanaryReport, PretrainReport, PrivacyReport
from pipeline.stages import pretrain, tokenise
from pipeline.stages.audits import canaries, intrinsic, preferences
from pipeline.stages.page import figures
from pipeline.track import Silent

DOCUMENTS, TOKENS, SECRETS, CANDIDATES = 200, 65_536, 8, 49


def compare() -> list[str]:
    """Plant, pretrain and ask; return a Markdown table, a line a number of repeats."""
    root = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        _lay_out(root)
        sections = params.load()
        reports.write("tokenise", tokenise.run(sections.tokenise, Silent()))
        pretrained = pretrain.run(sections.pretrain, Silent())
        reports.write("pretrain", pretrained)
        lm = preferences.load_language_model(sections.audit, Silent(), Path())
        nothing = PrivacyReport(membership=None, not_evaluated={})
        found = canaries.add_canaries(nothing, lm).canaries
        competent, _ = intrinsic.judge_competence(pretrained, sections.audit.competence_nats)
    assert found
    return [_setting(found, pretrained, competent), "", *_table(found)]


def _lay_out(root: Path) -> None:
    """Write the parameters, and the first documents of the workspace's corpus."""
    raw = yaml.safe_load((root / layout.PARAMS).read_text())
    raw["size"] = "default"
    raw["tokenise"]["canaries"] = {"secrets": SECRETS}
    raw["pretrain"]["tokens"] = TOKENS
    raw["audit"]["canary_candidates"] = CANDIDATES
    layout.PARAMS.write_text(yaml.safe_dump(raw))
    layout.DATA.symlink_to(root / layout.DATA)
    split = layout.stage_dir("split")
    shutil.copytree(root / split, split)
    corpus = split / "corpus_train.parquet"
    pq.write_table(pq.read_table(corpus)[:DOCUMENTS], corpus)


def _setting(found: CanaryReport, pretrained: PretrainReport, competent: bool) -> str:
    able = "competent" if competent else "not competent, so that an audit would not ask it"
    return (
        f"{pretrained.parameters / 1e6:.1f}M parameters, {TOKENS} tokens of {DOCUMENTS} documents; "
        f"held-out loss {pretrained.final_loss:.2f} nats of {pretrained.unigram_loss:.2f} by "
        f"frequency: {able}; {SECRETS} secrets of each number of repeats, each among "
        f"{found.candidates} others: at most {found.most_bits:.2f} bits, by chance "
        f"{found.chance_bits:.2f}"
    )


def _table(found: CanaryReport) -> list[str]:
    lines = ["| planted | read by training | exposure, bits | p, one-sided |", "|---|---|---|---|"]
    for level in found.levels:
        cells = [level.name, f"{level.times_read:.1f} times", figures.value(level.exposure, 2)]
        lines.append(f"| {' | '.join([*cells, figures.p_value(level.p_value)])} |")
    return lines
