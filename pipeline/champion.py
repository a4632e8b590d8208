"""The champion: whether its alias is where the gate put it, and how it is taken back."""

from typing import Any

from pipeline import decisions, files, layout, trust
from pipeline.adapters.registry import Registry, Version
from pipeline.errors import InputError
from pipeline.params import BundleParams
from pipeline.policy import rules
from pipeline.policy.chain import Head
from pipeline.policy.rules import Policy

CHAMPION, CHALLENGER = "champion", "challenger"
PREVIOUS = "previous_champion"  # tag: the version that was champion before this one
ROLLED_BACK = "rolled_back"  # tag: this version was champion and was taken back
WITHDRAWN = "withdrawn"  # the tag `decision` of a former champion whose waiver has expired
CROWNED = "crowned"  # tag: the log entry of its promotion, set once the alias has moved
TAG_CHARS = 5000  # MLflow's limit
LOCK = layout.STATE / "publish.lock"  # held by whoever moves an alias


def rollback(params: BundleParams, number: str | None = None) -> str:
    """Make the champion before the present one champion again, and return a line that says so.

    Each rollback goes one promotion further back, never forward: a version that was taken back does
    not come back, and `publish` does not promote it until its tag ``rolled_back`` is deleted.

    Args:
        params: Names the registered model.
        number: The version to take back, whoever is champion; it is taken back once. None: the
            champion.

    Raises:
        InputError: where there is no earlier champion or its files were changed, or the version to
            take back is not champion and was not taken back before.
    """
    registry, policy = Registry(params.name), rules.load()
    with files.locked(LOCK):
        champion = registry.at(CHAMPION)
        if number is not None and (champion is None or champion.number != number):
            return _confirm_taken_back(registry.get(number))
        if champion is None:
            raise InputError(
                f"{params.name}: has no champion; run `python -m pipeline publish` first"
            )
        return _roll_back(registry, champion, policy)


def _confirm_taken_back(version: Version) -> str:
    if ROLLED_BACK not in version.tags:
        raise InputError(f"version {version.number} is not champion; nothing was taken back")
    return f"version {version.number} was taken back before, {version.tags[ROLLED_BACK]}"


def _roll_back(registry: Registry, champion: Version, policy: Policy) -> str:
    before = find_earlier(registry, champion, policy)
    if before is None:
        raise InputError(
            f"{registry.name}: version {champion.number} has no champion before it to go back to"
        )
    trust.check_version(registry, before, policy)
    record("rollback", registry, champion, to_version=before.number)
    registry.tag(champion, **{ROLLED_BACK: f"to version {before.number}"})
    registry.point(CHAMPION, before)
    return (
        f"{registry.name}: version {before.number} is champion again,"
        f" in place of version {champion.number}"
    )


def take_back(registry: Registry, champion: Version, policy: Policy, why: str) -> str:
    """Take the alias from a champion whose waiver is no longer valid, and say who has it now.

    That is the champion before it, or nobody if there is none or its files were changed.
    """
    before, unsound = _find_sound_earlier(registry, champion, policy)
    to_version = before.number if before else None
    reasons = [why, *filter(None, [unsound])]
    record("withdraw", registry, champion, to_version=to_version, reasons=reasons)
    registry.tag(champion, decision=WITHDRAWN, reasons="; ".join(reasons)[:TAG_CHARS])
    if before is None:
        registry.unpoint(CHAMPION)
        none = f"version {champion.number} is champion no longer ({why}); there is none now"
        return f"{none}: the one before cannot be: {unsound}" if unsound else none
    registry.point(CHAMPION, before)
    return (
        f"version {champion.number} is champion no longer ({why});"
        f" version {before.number} is champion again"
    )


def _find_sound_earlier(
    registry: Registry, champion: Version, policy: Policy
) -> tuple[Version | None, str]:
    """Return the champion before, or none and why, if it cannot be read or was changed.

    The expired champion must go in any case: a fault of the one before must not keep it.
    """
    try:
        before = find_earlier(registry, champion, policy)
        if before is not None:
            trust.check_version(registry, before, policy)
    except InputError as error:
        return None, str(error)
    return before, ""


def check_alias(registry: Registry, champion: Version, with_log: bool = True) -> str:
    """Check that the gate put the alias where it is; return a note if a promotion was cut short.

    The log of decisions is consulted if it is the one that has the champion's promotion.

    Raises:
        InputError: where somebody has moved the alias by hand.
    """
    found = f"version {champion.number}: is champion, and"
    by_hand = "the alias was moved by hand: move it back, or publish another bundle"
    promotion = trust.read_decision(registry, champion, trust.PROMOTION)
    if promotion is None or not promotion.promote:
        raise InputError(f"{found} the gate has not promoted it; {by_hand}")
    if ROLLED_BACK in champion.tags:
        raise InputError(f"{found} was rolled back {champion.tags[ROLLED_BACK]}; {by_hand}")
    if champion.tags.get("decision") == WITHDRAWN:
        raise InputError(f"{found} was withdrawn; {by_hand}")
    last = decisions.last_move(registry.name, champion.tags.get("log", "")) if with_log else None
    if last is None or last.to_version == champion.number:
        return ""
    said = f"by entry {last.entry} of {decisions.LOG} ({last.action})"
    if _is_cut_short(registry, champion, last):
        return f"{said} version {last.to_version} was to be champion, and is not: publish it again"
    whom = f"version {last.to_version} is" if last.to_version else "nobody is"
    raise InputError(
        f"{found} {said} {whom}; {by_hand}; where {last.action} was cut short, run it again"
    )


def _is_cut_short(registry: Registry, champion: Version, last: decisions.Move) -> bool:
    """Return whether a promotion was logged but stopped before the alias moved, its last step.

    Until the alias moves, the previous champion stays.
    """
    if last.action != "promote" or last.from_version != champion.number:
        return False
    assert last.to_version is not None
    return registry.get(last.to_version).tags.get(CROWNED) != str(last.entry)


def find_earlier(registry: Registry, champion: Version, policy: Policy) -> Version | None:
    """Return the latest champion before this one that was not itself taken back, if any."""
    version, seen = champion, {champion.number}
    while previous := version.tags.get(PREVIOUS):
        version = registry.get(previous)
        if version.number in seen:
            return None
        seen.add(version.number)
        lapsed = trust.lapsed(registry, version, policy, trust.today())
        if ROLLED_BACK not in version.tags and not lapsed:
            return version
    return None


def explain_rolled_back(version: Version) -> str:
    """Say why a version that was taken back is not promoted, and what would allow it."""
    return (
        f"version {version.number} was rolled back {version.tags[ROLLED_BACK]}; delete its"
        f" tag `{ROLLED_BACK}` in MLflow to let the gate decide again"
    )


def record(action: str, registry: Registry, version: Version, **more: Any) -> Head:
    """Append to the log what is done with a version; return the log's end."""
    tags = {tag: version.tags.get(tag) for tag in trust.MADE_WITH}
    head = decisions.append(action, name=registry.name, version=version.number, **tags, **more)
    decisions.witness(registry, head)
    return head
