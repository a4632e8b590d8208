"""The laws and standards that a rule of policy.yaml may refer to, each with its title and date.

A reference says why somebody may ask for a figure. That a rule passes does not prove that a law is
observed: `applies` says to whom the law applies, and when it does not.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Law:
    """A law or standard."""

    short: str
    title: str
    date: str  # ISO: of adoption for a law, of publication for a standard
    applies: str  # to whom, and when it does not


@dataclass(frozen=True)
class Reference:
    """A passage of a law or standard."""

    law: Law
    place: str  # its number there
    subject: str

    @property
    def short(self) -> str:
        """Its name for a table's cell."""
        return f"{self.law.short}, {self.place}"


_AI_ACT = Law(
    "EU AI Act",
    "Regulation (EU) 2024/1689 (Artificial Intelligence Act)",
    "2024-06-13",
    "Only to a system that is high-risk under Article 6 and is placed on the market or used in the"
    " EU. The amending regulation known as the Digital Omnibus on AI, which the Council approved on"
    " 29 June 2026, moves the date of application to 2 December 2027 for systems of Annex III and"
    " to 2 August 2028 for those of Annex I. A system outside those annexes is not asked for it.",
)
_NIST = Law(
    "NIST AI RMF",
    "NIST AI 100-1, Artificial Intelligence Risk Management Framework (AI RMF 1.0)",
    "2023-01",
    "Voluntary, in any sector; an organisation that did not adopt the framework is not bound.",
)
_ISO = Law(
    "ISO/IEC 42001",
    "ISO/IEC 42001:2023, Artificial intelligence: Management system",
    "2023-12",
    "Only to an organisation that runs a management system by this standard, and to the controls in"
    " its statement of applicability.",
)
_CHINA = Law(
    "China's Interim Measures",
    "Interim Measures for the Management of Generative Artificial Intelligence Services (China)",
    "2023-07-10",
    "Only to services that generate text, images, audio or video for the public in mainland China"
    " (Article 2). A classifier generates nothing and is outside; it is within reach where it"
    " filters or labels what such a service generates.",
)

REFERENCES: dict[str, Reference] = {
    "eu-ai-act-10": Reference(_AI_ACT, "Article 10", "data and data governance"),
    "eu-ai-act-11": Reference(_AI_ACT, "Article 11 and Annex IV", "technical documentation"),
    "eu-ai-act-12": Reference(_AI_ACT, "Article 12", "record-keeping"),
    "eu-ai-act-15": Reference(_AI_ACT, "Article 15", "accuracy, robustness and cybersecurity"),
    "nist-measure-2.1": Reference(_NIST, "MEASURE 2.1", "test sets and metrics are documented"),
    "nist-measure-2.3": Reference(_NIST, "MEASURE 2.3", "performance is measured"),
    "nist-measure-2.9": Reference(_NIST, "MEASURE 2.9", "the model is explained"),
    "nist-measure-2.10": Reference(_NIST, "MEASURE 2.10", "privacy risk is examined"),
    "nist-measure-2.11": Reference(_NIST, "MEASURE 2.11", "fairness and bias are evaluated"),
    "iso-42001-a.6.2.4": Reference(_ISO, "A.6.2.4", "verification and validation"),
    "iso-42001-a.7.4": Reference(_ISO, "A.7.4", "quality of data"),
    "cn-genai-4": Reference(_CHINA, "Article 4(2)", "against discrimination"),
    "cn-genai-7": Reference(_CHINA, "Article 7", "training data"),
}
