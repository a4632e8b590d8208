"""Changes of a text whose effect on its label is known, in the manner of CheckList.

After Ribeiro et al. (2020, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList"): a
typing error or another case must leave the label as it is (a test of invariance); a "not" in the
only clause must make the label less sure (a test of direction), where labels are opinions.
A change returns None for a text that it does not apply to, and is a function of the text alone.
"""

import hashlib
import re

_NEIGHBOURS = re.compile(r"(?=([^\W\d_])([^\W\d_]))")  # two letters, overlapping
# Forms after which "not" negates the clause; after have and do it depends on the next word.
_VERB = re.compile(r"(?<![\w'-])(?:am|is|are|was|were|can|could|will|would|should|must)(?= [a-z])")
_NEGATION = re.compile(
    r"(?<![\w-])(?:no|not|none|nothing|nobody|never|neither|nor|cannot|hardly|barely|without)"
    r"(?![\w-])|n['\N{RIGHT SINGLE QUOTATION MARK}]t(?!\w)",
    re.I,
)


def add_typo(text: str) -> str | None:
    """Return the text with two different neighbouring letters exchanged.

    The place is taken from the text's SHA-256.
    """
    places = [
        found.start()
        for found in _NEIGHBOURS.finditer(text)
        if found[1].casefold() != found[2].casefold()
    ]
    if not places:
        return None
    at = places[int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % len(places)]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def change_case(text: str) -> str | None:
    """Return the text in capitals, or in small letters where it is in capitals."""
    changed = text.lower() if text.isupper() else text.upper()
    return changed if changed != text else None


def add_negation(text: str) -> str | None:
    """Return the text with "not" after its only auxiliary or form of be.

    None for a question, for a text that already negates something, and for one with no such verb or
    several: which of them to negate would be a guess.
    """
    verbs = list(_VERB.finditer(text))
    if len(verbs) != 1 or "?" in text or _NEGATION.search(text):
        return None
    end = verbs[0].end()
    return f"{text[:end]} not{text[end:]}"
