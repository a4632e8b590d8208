"""Against sentences of the Universal Declaration of Human Rights, article 1."""
# ruff: noqa: RUF001 (letters that look like Latin ones are the point)

import pytest

from pipeline.text import language
from pipeline.text.normal import normalise
from pipeline.text.words import split_words

ARTICLE_1 = {
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft "
    "und Gewissen begabt und sollen einander im Geiste der Brüderlichkeit begegnen.",
    "en": "All human beings are born free and equal in dignity and rights. They are endowed with "
    "reason and conscience and should act towards one another in a spirit of brotherhood.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como "
    "están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués "
    "de raison et de conscience et doivent agir les uns envers les autres dans un esprit de "
    "fraternité.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati "
    "di ragione e di coscienza e devono agire gli uni verso gli altri in spirito di fratellanza.",
    "nl": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd "
    "met verstand en geweten, en behoren zich jegens elkander in een geest van broederschap te "
    "gedragen.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Dotados de "
    "razão e de consciência, devem agir uns para com os outros em espírito de fraternidade.",
}
NOT_LATIN = [
    "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "人人生而自由,在尊严和权利上一律平等。",
    "すべての人間は、生まれながらにして自由である。",
    "모든 인간은 태어날 때부터 자유롭다.",
    "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.",
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι.",
    "सभी मनुष्यों को गौरव और अधिकार",
]


def guess(text: str) -> str:
    normal = [normalise(text)]
    return language.name(int(language.guess(normal, split_words(normal))[0]))


@pytest.mark.parametrize("code", ARTICLE_1)
def test_each_language_is_told_from_the_others(code: str) -> None:
    assert guess(ARTICLE_1[code]) == code


@pytest.mark.parametrize("text", NOT_LATIN)
def test_another_script_is_seen(text: str) -> None:
    assert guess(text) == "not Latin"


@pytest.mark.parametrize("text", ["", "12:30 :-)", "Wow!", "Stunning, gorgeous", "Is in"])
def test_a_text_without_common_words_is_undetermined(text: str) -> None:
    assert guess(text) == "undetermined"


def test_every_language_declared_has_a_sentence_here() -> None:
    assert set(ARTICLE_1) == set(language.KNOWN)
