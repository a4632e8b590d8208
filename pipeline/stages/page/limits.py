"""What the page cannot show, in plain words."""

from pipeline.stages.page.language import mark, say

LIMITS = (
    mark(
        "The scores hold for English texts like the test rows. Other languages, subjects and"
        " times were not tested."
    ),
    mark(
        "The model was trained once, from one seed. The intervals say what other test rows"
        " would change, not what another training run would."
    ),
    mark(
        "A group is what a column of the data says. Where that column comes from a list of"
        " words, it tells which words a text has, not whom it is about or who wrote it, and it"
        " knows no group that the list leaves out."
    ),
    mark(
        "Exchanging words can leave a sentence that nobody would write, and templates are"
        " short, few and written for the purpose; the names are of the United States, and no name"
        " tells who bears it. A small change on them does not show that real"
        " texts are treated alike."
    ),
    mark(
        "CrowS-Pairs and StereoSet hold stereotypes of the United States, and many of their pairs"
        " do not measure what they are meant to (Blodgett et al. 2021, Stereotyping Norwegian"
        " Salmon). A score near 50 does not show that a model is fair, and a score of the language"
        " model says little about the classifier built on it."
    ),
    mark(
        "The association tests and WinoBias know a few dozen words, names and occupations, two"
        " genders and American usage. They can show a bias and not that there is none."
    ),
    mark(
        "Whether training texts can be got out of the model was tried by no more than the attacks"
        " shown here. Whether it withstands texts made to deceive it, and whether it should be"
        " used at all for a decision about a person, was not tested."
    ),
)


def told() -> tuple[str, ...]:
    """Return the limits in the language of the page."""
    return tuple(say(each) for each in LIMITS)
