"""The laws and standards that a rule of policy.yaml may refer to, each with its title and date.

A reference says why somebody may be asked for a figure. That a rule passes is no proof that a law
is kept: `applies` says to whom the text speaks, and when it does not.
"""

from dataclasses import dataclass

_AI_ACT = (
    "Only to a system that is high-risk under Article 6 and is placed on the market or used in the"
    " EU. The amending regulation known as the Digital Omnibus on AI, which the Council approved on"
    " 29 June 2026, moves the date of application to 2 December 2027 for systems of Annex III and"
    " to 2 August 2028 for those of Annex I. A system outside those annexes is not asked for it."
)
_NIST = "Voluntary, in any sector; an organisation that did not adopt the framework is not bound."
_ISO = (
    "Only to an organisation that runs a management system by this standard, and to the controls in"
    " its statement of applicability."
)
_CHINA = (
    "Only to services that generate text, images, audio or video for the public in mainland China"
    " (Article 2). A classifier generates nothing and is outside; it is within reach where it"
    " filters or labels what such a service generates."
)


@dataclass(frozen=True)
class Reference:
    """A passage of a law or standard."""

    short: str  # its name for a table's cell
    title: str  # of the law, with the passage
    date: str  # ISO: of adoption for a law, of publication for a standard
    applies: str  # to whom, and when it does not


def _ai_act(passage: str) -> Reference:
    return Reference(
        f"EU AI Act, {passage.partition(',')[0]}",
        f"Regulation (EU) 2024/1689 (Artificial Intelligence Act), {passage}",
        "2024-06-13",
        _AI_ACT,
    )


def _nist(passage: str) -> Reference:
    return Reference(
        f"NIST AI RMF, {passage.partition(',')[0]}",
        f"NIST AI 100-1, AI Risk Management Framework (AI RMF 1.0), {passage}",
        "2023-01",
        _NIST,
    )


def _iso(passage: str) -> Reference:
    return Reference(
        f"ISO/IEC 42001, {passage.partition(',')[0]}",
        f"ISO/IEC 42001:2023, Artificial intelligence: Management system, {passage}",
        "2023-12",
        _ISO,
    )


def _china(passage: str) -> Reference:
    return Reference(
        f"China, generative AI, {passage.partition(',')[0]}",
        "Interim Measures for the Management of Generative Artificial Intelligence Services"
        f" (China), {passage}",
        "2023-07-10",
        _CHINA,
    )


REFERENCES: dict[str, Reference] = {
    "eu-ai-act-10": _ai_act("Article 10, data and data governance"),
    "eu-ai-act-11": _ai_act("Article 11 and Annex IV, technical documentation"),
    "eu-ai-act-12": _ai_act("Article 12, record-keeping"),
    "eu-ai-act-15": _ai_act("Article 15, accuracy, robustness and cybersecurity"),
    "nist-measure-2.1": _nist("MEASURE 2.1, test sets and metrics are documented"),
    "nist-measure-2.3": _nist("MEASURE 2.3, performance is measured and demonstrated"),
    "nist-measure-2.11": _nist("MEASURE 2.11, fairness and bias are evaluated"),
    "iso-42001-a.6.2.4": _iso("A.6.2.4, verification and validation"),
    "iso-42001-a.7.4": _iso("A.7.4, quality of data"),
    "cn-genai-4": _china("Article 4(2), against discrimination"),
    "cn-genai-7": _china("Article 7, training data"),
}
