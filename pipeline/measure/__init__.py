"""Scores, intervals, fairness and masked-language-model bias scores (numpy)."""
