"""How well the pretrained language model remembers secrets that were planted in its text."""

from collections.abc import Sequence

import numpy as np

from pipeline import reports
from pipeline.encoder import canaries as scoring
from pipeline.measure import exposure
from pipeline.params import AuditParams
from pipeline.reports import (
    Canary,
    CanaryReport,
    Exposure,
    PretrainReport,
    PrivacyReport,
    TokeniseReport,
)
from pipeline.stages.audits.preferences import LanguageModel
from pipeline.text.canaries import draw_secrets

CANARIES = "Planted secrets"
OFF = "tokenise.canaries is off, so no secret was planted"
INCOMPETENT = (
    "the language model is not good enough: that one which has learnt nothing remembers nothing "
    "is no sign of privacy"
)
NO_DIGITS = "the tokenizer has no token for each digit"
_NAMES = {0: "never", 1: "once"}


def add_canaries(attacked: PrivacyReport, lm: LanguageModel | None) -> PrivacyReport:
    """Return the report with the exposure of planted secrets, or with the reason for its absence.

    ``lm`` is None where the language model is not competent.
    """
    tokenised = reports.read(TokeniseReport)
    found, why = None, ""
    if not tokenised.canaries:
        why = OFF
    elif lm is None:
        why = INCOMPETENT
    else:
        passes = reports.read(PretrainReport).tokens / tokenised.train_tokens
        found = measure_canaries(lm, tokenised.canaries, passes)
        why = "" if found else NO_DIGITS
    told = attacked.not_evaluated | ({CANARIES: why} if why else {})
    return attacked.model_copy(update={"canaries": found, "not_evaluated": told})


def measure_canaries(
    lm: LanguageModel, canaries: Sequence[Canary], passes: float
) -> CanaryReport | None:
    """Rank each planted secret among alternatives; None if digits are not single tokens."""
    tell, bits = lm.progress_in("secrets"), []
    for place, canary in enumerate(canaries):
        found = _expose(lm, canary, place)
        if found is None:
            return None
        bits.append(found)
        tell(place + 1, len(canaries))
    return report_canaries(canaries, np.array(bits), lm.params, passes)


def _expose(lm: LanguageModel, canary: Canary, place: int) -> float | None:
    """Return the exposure of a secret among candidates drawn from a seed of its own."""
    params, digits = lm.params, len(canary.digits.split())
    draw = np.random.default_rng([params.seed, place])
    others = [
        secret
        for secret in draw_secrets(params.canary_candidates, digits, draw)
        if secret != canary.digits
    ]
    texts = [canary.about(secret) for secret in (canary.digits, *others)]
    scores = scoring.score_secrets(lm.model, lm.tokenizer, texts, digits)
    return None if scores is None else exposure.exposure(float(scores[0]), scores[1:])


def report_canaries(
    canaries: Sequence[Canary], bits: np.ndarray, params: AuditParams, passes: float
) -> CanaryReport:
    """Return the report on exposures (canaries,); training read the text ``passes`` times."""
    repeats = np.array([canary.repeats for canary in canaries])
    most = float(np.log2(params.canary_candidates + 1))
    return CanaryReport(
        levels=tuple(
            Exposure(
                name=_NAMES.get(count, f"{count} times"),
                repeats=count,
                times_read=count * passes,
                exposure=exposure.mean_exposure(bits[repeats == count], params.confidence, most),
                p_value=exposure.p_value(bits[repeats == count]),
            )
            for count in np.unique(repeats).tolist()
        ),
        candidates=params.canary_candidates,
        most_bits=most,
        chance_bits=exposure.CHANCE_BITS,
    )
