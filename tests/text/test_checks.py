"""Against brute force over every pair of rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.checks import find_conflicts, find_duplicates

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans()), max_size=12)


@given(ROWS)
def test_a_duplicate_is_any_later_row_of_an_id_and_names_the_first(
    rows: list[tuple[int, int, bool]],
) -> None:
    ids = np.array([row[0] for row in rows], np.uint64)
    compared = np.array([row[2] for row in rows], np.bool_)
    found = find_duplicates(ids, compared)
    for at, (one, _, taken) in enumerate(rows):
        earlier = [n for n in range(at) if rows[n][0] == one and rows[n][2]]
        assert found[at] == (earlier[0] if taken and earlier else -1)


@given(ROWS)
def test_every_row_of_a_disputed_text_conflicts_and_names_one_of_another_label(
    rows: list[tuple[int, int, bool]],
) -> None:
    ids = np.array([row[0] for row in rows], np.uint64)
    labels = np.array([row[1] for row in rows], np.int64)
    compared = np.array([row[2] for row in rows], np.bool_)
    found = find_conflicts(ids, labels, compared)
    for at, (one, label, taken) in enumerate(rows):
        rivals = [n for n, row in enumerate(rows) if row[0] == one and row[1] != label and row[2]]
        assert (found[at] in rivals) if taken and rivals else (found[at] == -1)
