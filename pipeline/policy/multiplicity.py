"""Multiple tests: p-values adjusted so that the chance of any false alarm stays at alpha."""

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return the p-values of a family of m tests, adjusted by the step-down of Holm (1979).

    In ascending order, ``adjusted_(i) = max over j <= i of min(1, (m - j + 1) p_(j))``. Rejecting
    tests with an adjusted value of at most alpha raises any false alarm with probability at most
    alpha, however the tests depend on each other. A test that could not be made stays None and
    counts in m, so that missing evidence makes no other test easier to pass.

    Raises:
        ValueError: where a value is not between 0 and 1.
    """
    for p in p_values:
        if p is not None and not 0 <= p <= 1:
            raise ValueError(f"{p} is no p-value")
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for step, (p, place) in enumerate(known):
        running = max(running, min(1.0, (len(p_values) - step) * p))
        adjusted[place] = running
    return tuple(adjusted)
