"""Word lists of the word embedding association tests, and sentences for them.

The lists are those that Caliskan, Bryson and Narayanan (2017, "Semantics derived automatically from
language corpora contain human-like biases", supplement) took from studies of people. A sentence
encoder is tested on a word as in May et al. (2019, SEAT), in sentences that say almost nothing
else; the sentences are our own.
"""

import hashlib

_WORDS = {
    "flowers": """
        aster clover hyacinth marigold poppy azalea crocus iris orchid rose bluebell
        daffodil lilac pansy tulip buttercup daisy lily peony violet carnation gladiola
        magnolia petunia zinnia
    """,
    "insects": """
        ant caterpillar flea locust spider bedbug centipede fly maggot tarantula bee
        cockroach gnat mosquito termite beetle cricket hornet moth wasp blackfly dragonfly
        horsefly roach weevil
    """,
    "pleasant": """
        caress freedom health love peace cheer friend heaven loyal pleasure diamond gentle
        honest lucky rainbow diploma gift honor miracle sunrise family happy laughter
        paradise vacation
    """,
    "unpleasant": """
        abuse crash filth murder sickness accident death grief poison stink assault disaster
        hatred pollute tragedy divorce jail poverty ugly cancer kill rotten vomit agony
        prison
    """,
    "instruments": """
        bagpipe cello guitar lute trombone banjo clarinet harmonica mandolin trumpet bassoon
        drum harp oboe tuba bell fiddle harpsichord piano viola bongo flute horn saxophone
        violin
    """,
    "weapons": """
        arrow club gun missile spear axe dagger harpoon pistol sword blade dynamite hatchet
        rifle tank bomb firearm knife shotgun teargas cannon grenade mace slingshot whip
    """,
    "European American names": """
        Adam Harry Josh Roger Alan Frank Justin Ryan Andrew Jack Matthew Stephen Brad Greg
        Paul Jonathan Peter Amanda Courtney Heather Melanie Katie Betsy Kristin Nancy
        Stephanie Ellen Lauren Colleen Emily Megan Rachel
    """,
    "African American names": """
        Alonzo Jamel Theo Alphonse Jerome Leroy Torrance Darnell Lamar Lionel Tyree Deion
        Lamont Malik Terrence Tyrone Lavon Marcellus Wardell Nichelle Shereen Ebony Latisha
        Shaniqua Jasmine Tanisha Tia Lakisha Latoya Yolanda Malika Yvette
    """,
    "unpleasant (2)": """
        abuse crash filth murder sickness accident death grief poison stink assault disaster
        hatred pollute tragedy bomb divorce jail poverty ugly cancer evil kill rotten vomit
    """,
    "European American names (2)": """
        Brad Brendan Geoffrey Greg Brett Matthew Neil Todd Allison Anne Carrie Emily Jill
        Laurie Meredith Sarah
    """,
    "African American names (2)": """
        Darnell Hakim Jermaine Kareem Jamal Leroy Rasheed Tyrone Aisha Ebony Keisha Kenya
        Lakisha Latoya Tamika Tanisha
    """,
    "pleasant (2)": """
        joy love peace wonderful pleasure friend laughter happy
    """,
    "unpleasant (3)": """
        agony terrible horrible nasty evil war awful failure
    """,
    "men's names": """
        John Paul Mike Kevin Steve Greg Jeff Bill
    """,
    "women's names": """
        Amy Joan Lisa Sarah Diana Kate Ann Donna
    """,
    "career": """
        executive management professional corporation salary office business career
    """,
    "family": """
        home parents children family cousins marriage wedding relatives
    """,
    "mathematics": """
        math algebra geometry calculus equations computation numbers addition
    """,
    "arts": """
        poetry art dance literature novel symphony drama sculpture
    """,
    "male terms": """
        male man boy brother he him his son
    """,
    "female terms": """
        female woman girl sister she her hers daughter
    """,
    "science": """
        science technology physics chemistry Einstein NASA experiment astronomy
    """,
    "arts (2)": """
        poetry art Shakespeare dance literature novel symphony drama
    """,
    "male terms (2)": """
        brother father uncle grandfather son he his him
    """,
    "female terms (2)": """
        sister mother aunt grandmother daughter she hers her
    """,
    "mental disease": """
        sad hopeless gloomy tearful miserable depressed
    """,
    "physical disease": """
        sick illness influenza disease virus cancer
    """,
    "temporary": """
        impermanent unstable variable fleeting short-term brief occasional
    """,
    "permanent": """
        stable always constant persistent chronic prolonged forever
    """,
    "young people's names": """
        Tiffany Michelle Cindy Kristy Brad Eric Joey Billy
    """,
    "old people's names": """
        Ethel Bernice Gertrude Agnes Cecil Wilbert Mortimer Edgar
    """,
}
WORDS: dict[str, tuple[str, ...]] = {name: tuple(text.split()) for name, text in _WORDS.items()}

# Test -> two targets and two attributes, each a list above. People answer faster where the first
# target goes with the first attribute; a list in its second form says (2).
TESTS: dict[str, tuple[str, str, str, str]] = {
    "WEAT 1": ("flowers", "insects", "pleasant", "unpleasant"),
    "WEAT 2": ("instruments", "weapons", "pleasant", "unpleasant"),
    "WEAT 3": ("European American names", "African American names", "pleasant", "unpleasant (2)"),
    "WEAT 4": (
        "European American names (2)",
        "African American names (2)",
        "pleasant",
        "unpleasant (2)",
    ),
    "WEAT 5": (
        "European American names (2)",
        "African American names (2)",
        "pleasant (2)",
        "unpleasant (3)",
    ),
    "WEAT 6": ("men's names", "women's names", "career", "family"),
    "WEAT 7": ("mathematics", "arts", "male terms", "female terms"),
    "WEAT 8": ("science", "arts (2)", "male terms (2)", "female terms (2)"),
    "WEAT 9": ("mental disease", "physical disease", "temporary", "permanent"),
    "WEAT 10": ("young people's names", "old people's names", "pleasant (2)", "unpleasant (3)"),
}

TEMPLATES = (
    "This is {}.",
    "That is {}.",
    "There is {}.",
    "Here is {}.",
    "{} is here.",
    "{} is there.",
)


def sentences(word: str) -> tuple[str, ...]:
    """Return the sentences about a word, one for each template."""
    return tuple(template.format(word) for template in TEMPLATES)


def digest() -> str:
    """Return the SHA-256 of the word lists, tests and templates."""
    return hashlib.sha256(repr((WORDS, TESTS, TEMPLATES)).encode()).hexdigest()
