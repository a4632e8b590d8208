"""Names of metrics, columns and checks as a reader sees them."""

from pipeline.stages.page.language import mark, say, translate

_KNOWN = {  # as written inside a sentence
    "macro_f1": mark("macro-F1"),
    "roc_auc": mark("ROC AUC"),
    "brier": mark("Brier score"),
    "ece": mark("calibration error (ECE)"),
    "f1": mark("F1"),
    "tfidf": mark("TF-IDF"),
    "crows_pairs": mark("CrowS-Pairs"),
    "stereo": mark("pairs with a stereotype"),
    "subgroup_auc": mark("within the group"),
    "bpsn_auc": mark("BPSN: others' positive texts against the group's negative ones"),
    "bnsp_auc": mark("BNSP: the group's positive texts against others' negative ones"),
    "email": mark("e-mail address"),
    "iban": mark("bank account (IBAN)"),
    "phone": mark("telephone number"),
    "card": mark("payment card"),
    "ip_address": mark("IP address"),
    "cn_resident_id": mark("Chinese resident identity number"),
    "us_ssn": mark("US social security number"),
    "fr_social_security": mark("French social security number"),
    "br_cpf": mark("Brazilian taxpayer number (CPF)"),
    "in_aadhaar": mark("Indian Aadhaar number"),
    "es_dni": mark("Spanish identity number (DNI)"),
    "antistereo": mark("pairs against a stereotype"),
    "type1": mark("who is meant follows from the facts"),  # WinoBias
    "type2": mark("who is meant follows from the grammar"),
}


_OWN = ("gender", "origin", "domain", "female", "male", "both", "none")
_CROSSED = mark(" x ")  # joins the values, or the columns, of an intersection
_JOINTS = (mark(": "), mark(", "), mark(" vs "), _CROSSED)


def group(value: str) -> str:
    """Return a group's or a column's name: our own translated, the data's as it is."""
    parts = value.split(_CROSSED)
    return say(_CROSSED).join(translate(part) if part in _OWN else part for part in parts)


def plain(name: str, first: bool = True) -> str:
    """Return the words of a name; ``first`` says that they begin a line, with a capital.

    A name that no message knows is the data's and stays in its own language.
    """
    words = _in_words(_KNOWN.get(name, name.replace("_", " ")))
    return words[:1].upper() + words[1:] if first else words


def _in_words(name: str) -> str:
    """Translate a name, or each of those that it joins, as in ``men vs women``."""
    whole = translate(name)
    for joint in _JOINTS:
        if whole == name and joint in name:
            return say(joint).join(map(_in_words, name.split(joint)))
    return whole
