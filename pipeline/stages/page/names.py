"""Names of metrics, columns and checks as a reader sees them."""

_KNOWN = {  # as they stand inside a sentence
    "macro_f1": "macro-F1",
    "roc_auc": "ROC AUC",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "f1": "F1",
    "tfidf": "TF-IDF",
    "crows_pairs": "CrowS-Pairs",
    "stereo": "pairs with a stereotype",
    "subgroup_auc": "within the group",
    "bpsn_auc": "BPSN: others' positive texts against the group's negative ones",
    "bnsp_auc": "BNSP: the group's positive texts against others' negative ones",
    "email": "e-mail address",
    "iban": "bank account (IBAN)",
    "phone": "telephone number",
    "card": "payment card",
    "ip_address": "IP address",
    "cn_resident_id": "Chinese resident identity number",
    "us_ssn": "US social security number",
    "fr_social_security": "French social security number",
    "br_cpf": "Brazilian taxpayer number (CPF)",
    "in_aadhaar": "Indian Aadhaar number",
    "es_dni": "Spanish identity number (DNI)",
    "antistereo": "pairs against a stereotype",
    "type1": "who is meant follows from the facts",  # WinoBias
    "type2": "who is meant follows from the grammar",
}


def plain(name: str, first: bool = True) -> str:
    """Return the words of a name; ``first`` says that they begin a line, with a capital."""
    words = _KNOWN.get(name, name.replace("_", " "))
    return words[:1].upper() + words[1:] if first else words
