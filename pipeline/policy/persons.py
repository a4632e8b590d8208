"""Comparing persons by name: author and approver must be two persons."""


def is_same_person(one: str, other: str) -> bool:
    """Return whether two names are equal but for case and spacing."""
    return one.casefold().split() == other.casefold().split()
