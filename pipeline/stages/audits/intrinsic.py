"""CrowS-Pairs on the pretrained language model, and whether the model is good enough for it."""

from pathlib import Path
from typing import Any

from pipeline import files, layout, reports
from pipeline.adapters import crows_pairs, rows
from pipeline.encoder import scoring
from pipeline.measure import masked_lm
from pipeline.params import AuditParams
from pipeline.reports import CompressReport, PairScore, PretrainReport
from pipeline.track import Track

CROWS_PAIRS = layout.BENCHMARKS / "crows_pairs.csv"


def read_pretrained() -> PretrainReport:
    """Return pretrain's report, with the loss of the smaller model where compress has made one."""
    pretrained, compressed = reports.read(PretrainReport), reports.read(CompressReport)
    if compressed.final_loss is None:
        return pretrained
    return pretrained.model_copy(update={"final_loss": compressed.final_loss})


def judge_competence(pretrained: PretrainReport, nats: float) -> tuple[bool, str]:
    """Say whether the language model predicts enough for its preferences to mean anything.

    A model that has learnt nothing prefers at random, near 50 percent, which would look like
    fairness. So it must be better than the same model untrained, and better than one that knows the
    frequency of each token but no context.
    """
    blind = min(pretrained.untrained_loss, pretrained.unigram_loss)
    gain = blind - pretrained.final_loss
    why = (
        f"the held-out loss is {pretrained.final_loss:.2f} nats a token; untrained it is "
        f"{pretrained.untrained_loss:.2f}, and {pretrained.unigram_loss:.2f} from the tokens' "
        f"frequencies alone; it must be {nats:.2f} below both"
    )
    if not CROWS_PAIRS.is_file():
        why += f"; {CROWS_PAIRS} is not there, so CrowS-Pairs is not evaluated"
    return gain >= nats, why


def score_pairs(
    model: Any, tokenizer: Any, params: AuditParams, track: Track, folder: Path
) -> PairScore | None:
    """Score CrowS-Pairs if data/benchmarks has it, and write crows_pairs.parquet."""
    if not CROWS_PAIRS.is_file():
        return None
    pairs = crows_pairs.read_pairs(CROWS_PAIRS, params.max_pairs)
    scores = scoring.score_pairs(
        model,
        tokenizer,
        [(pair.more, pair.less) for pair in pairs],
        lambda done, total: track.progress(done, total, "sentences"),
    )
    directions, types = [pair.direction for pair in pairs], [pair.bias_type for pair in pairs]
    rows.write_table(
        folder / "crows_pairs.parquet",
        {
            "more": [pair.more for pair in pairs],
            "less": [pair.less for pair in pairs],
            "direction": directions,
            "bias_type": types,
            "score_more": scores[:, 0],
            "score_less": scores[:, 1],
        },
    )
    return masked_lm.crows_pairs(scores[:, 0], scores[:, 1], directions, types, params.confidence)


def benchmark_digests() -> dict[str, str]:
    """Return the SHA-256 of the benchmark files that were read."""
    return {str(CROWS_PAIRS): files.sha256_file(CROWS_PAIRS)} if CROWS_PAIRS.is_file() else {}
