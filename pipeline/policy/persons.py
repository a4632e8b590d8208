"""Persons, by their names: an author and an approver must be two."""


def is_same_person(one: str, other: str) -> bool:
    """Say whether two names are one, whatever their case and spacing."""
    return one.casefold().split() == other.casefold().split()
