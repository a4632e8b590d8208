"""That sentences differ in the group and in nothing else."""

from pipeline.text import identity_templates as templates


def test_the_two_sentences_of_a_pair_have_the_same_frame() -> None:
    """Taking the group's own phrase out of each leaves the same words."""
    for comparison in templates.comparisons():
        groups = templates.AXES[comparison.axis]
        first, second = (groups[name] for name in comparison.name[10:].split(" vs "))
        count = len(first)
        for row, (a, b) in enumerate(zip(comparison.first, comparison.second, strict=True)):
            one, other = first[row % count], second[row % count]
            assert a.replace(f"the {one}", "").replace(f"The {one}", "") == b.replace(
                f"the {other}", ""
            ).replace(f"The {other}", "")
            assert a != b


def test_every_pair_of_groups_of_an_axis_is_compared_once() -> None:
    names = [comparison.name for comparison in templates.comparisons()]
    expected = sum(len(groups) * (len(groups) - 1) // 2 for groups in templates.AXES.values())
    assert len(names) == len(set(names)) == expected


def test_groups_of_an_axis_have_phrases_that_correspond() -> None:
    for groups in templates.AXES.values():
        assert len({len(phrases) for phrases in groups.values()}) == 1


def test_the_templates_make_600_sentences_at_most() -> None:
    sentences = {s for pair in templates.comparisons() for s in pair.first + pair.second}
    assert len(sentences) <= 600
