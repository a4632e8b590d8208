"""The identity terms that a text contains, by word lists: the group columns of the default data.

A column says which words occur, not whom the text is about: "her" in a film review may be the
director, the actress or nobody. So gaps between these groups are gaps between texts that use such
words.
"""

import re
from collections.abc import Iterable

import numpy as np

# Pairs of Zhao et al. 2018 (WinoBias, `generalized_swaps.txt` and `extra_gendered_words.txt`) and
# the gender words of Caliskan et al. 2017 (WEAT 6 to 8). Left out, because they are used of anyone
# or of things: miss, host, master, lord, god, governor, tailor, hero, monk, nun, priest, bachelor,
# chick, dude, guys, beau, belle.
_FEMALE = """
    actress actresses aunt aunts bride brides businesswoman businesswomen chairwoman chairwomen
    daughter daughters duchess duchesses empress female females gal gals girl girls
    girlfriend girlfriends granddaughter granddaughters grandma grandmother grandmothers her heroine
    heroines hers herself ladies lady landlady lass ma'am mom mommy moms mother mothers mrs ms niece
    nieces policewoman policewomen princess princesses queen queens she sister sisters spokeswoman
    spokeswomen stepmother stepmothers wife wives woman women
"""
_MALE = """
    actor actors uncle uncles groom grooms businessman businessmen chairman chairmen
    son sons duke dukes emperor male males guy boy boys
    boyfriend boyfriends grandson grandsons grandpa grandfather grandfathers him he
    his himself gentlemen gentleman landlord lad sir dad daddy dads father fathers mr nephew
    nephews policeman policemen prince princes king kings brother brothers spokesman
    spokesmen stepfather stepfathers husband husbands man men
"""
# Nationalities, ethnic groups and religions after the identity terms of Dixon et al. 2018
# ("Measuring and mitigating unintended bias in text classification"), with those that the four
# domains name. "black" and "white" are left out: in reviews and news they name colours, comedies
# and the White House more often than people.
_ORIGIN = """
    african africans african-american african-americans american americans arab arabs asian asians
    blacks british buddhist buddhists canadian catholic catholics chinese christian christians
    cuban european europeans french german germans hindu hindus hispanic hispanics indian indians
    iranian iraqi iraqis irish israeli israelis italian italians japanese jew jewish jews korean
    latina latinas latino latinos mexican mexicans mormon mormons muslim muslims pakistani
    palestinian palestinians protestant protestants russian russians sikh sikhs spanish taoist
    turkish vietnamese whites
"""
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
_POSSESSIVE = re.compile(r"'s$")

FEMALE, MALE, ORIGIN = (frozenset(words.split()) for words in (_FEMALE, _MALE, _ORIGIN))

# The columns that can be derived from any text, each with every value it may have.
COLUMNS: dict[str, tuple[str, ...]] = {
    "gender": ("both", "female", "male", "none"),
    "origin": ("named", "none"),
}


def identity_terms(text: str) -> dict[str, str]:
    """Return the group columns of a text.

    ``gender`` is female, male, both or none; ``origin`` (nationality, ethnicity or religion) is
    named or none. Words are compared in lower case, whole, with a possessive 's taken off.
    """
    words = {
        _POSSESSIVE.sub("", word)
        for word in _WORD.findall(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    }
    female, male = bool(words & FEMALE), bool(words & MALE)
    gender = "both" if female and male else "female" if female else "male" if male else "none"
    return {"gender": gender, "origin": "named" if words & ORIGIN else "none"}


def derive(column: str, texts: Iterable[str]) -> np.ndarray:
    """Return the values (n,) of a column of `COLUMNS` for texts."""
    return np.array([identity_terms(text)[column] for text in texts])
