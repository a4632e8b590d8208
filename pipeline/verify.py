"""``python -m pipeline verify TARGET``: whether a model is still what was made and approved.

A bundle's folder is checked by itself. For a version in the registry everything stored is checked,
with its signature, its tags, the gate's decision, the waivers that this rests on, and the log.
"""

import re
from pathlib import Path

from pipeline import approve, champion, decisions, files, layout, trust
from pipeline.adapters.registry import Registry, Version
from pipeline.errors import InputError
from pipeline.policy import rules
from pipeline.policy.rules import Policy
from pipeline.reports import Report

_TARGET = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>\d+))")


class Verification(Report):
    """What was found about a target that is unchanged."""

    target: str
    found: tuple[str, ...]
    withdrawn: str = ""  # why its alias was taken back, and what is champion now

    def summary(self) -> str:
        """Return what was found for a terminal."""
        lines = [f"{self.target}: {each}" for each in self.found]
        return "\n".join([*lines, f"withdrawn: {self.withdrawn}" if self.withdrawn else "verified"])


def verify(target: str, with_log: bool = True) -> Verification:
    """Verify a bundle's folder, ``models:/NAME@ALIAS`` or ``models:/NAME/NUMBER``.

    If a waiver that the champion rests on has expired, its alias is taken back.

    Args:
        target: What to verify.
        with_log: Whether the log of decisions must be here; a host that only serves has none.

    Raises:
        InputError: naming the file, tag, alias or entry that was changed.
    """
    if not target.startswith("models:"):
        return _verify_folder(Path(target))
    with files.locked(champion.LOCK):
        registry, version = find(target)
        return _verify_version(registry, version, rules.load(), target, with_log)


def find(target: str) -> tuple[Registry, Version]:
    """Return the version that ``models:/NAME@ALIAS`` or ``models:/NAME/NUMBER`` names.

    Raises:
        InputError: where it names none.
    """
    match = _TARGET.fullmatch(target)
    if match is None:
        raise InputError(f"{target}: not a target; write models:/NAME@champion or models:/NAME/3")
    registry = Registry(match["name"])
    number = match["number"]
    version = registry.get(number) if number else registry.at(match["alias"])
    if version is None:
        raise InputError(f"{target}: there is no such version; run `python -m pipeline publish`")
    return registry, version


def _verify_folder(folder: Path) -> Verification:
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder; name a bundle, or models:/NAME@champion")
    required = layout.POLICY.is_file() and rules.load().require_signature
    signature = trust.check_bundle(folder, required)
    return Verification(target=str(folder), found=("every file is whole", signature))


def _verify_version(
    registry: Registry, version: Version, policy: Policy, target: str, with_log: bool
) -> Verification:
    checked = trust.check_version(registry, version, policy)
    found = [f"version {version.number}, every file is whole", checked.signature]
    is_champion = registry.points_at(champion.CHAMPION, version)
    found.append(describe_decision(registry, version, is_champion))
    found += filter(None, [approve.describe(registry, version)])
    if with_log:
        trust.check_made(registry, version)
        found.append(decisions.check(registry, version.tags.get("log", "")))
    else:
        found.append("the log of decisions was not checked")
    why = trust.lapsed(registry, version, policy, trust.today()) if is_champion else ""
    if is_champion and not why:
        found += filter(None, [champion.check_alias(registry, version, with_log)])
    withdrawn = champion.take_back(registry, version, policy, why) if why else ""
    return Verification(target=target, found=tuple(found), withdrawn=withdrawn)


def describe_decision(registry: Registry, version: Version, is_champion: bool) -> str:
    """Return the gate's decision in words: of a champion that of its promotion, else the last.

    Raises:
        InputError: where the decision was changed after it was recorded.
    """
    name = trust.PROMOTION if is_champion else trust.DECISION
    decision = trust.read_decision(registry, version, name)
    if decision is None:
        return "the gate has not decided on it"
    waived = ", ".join(waiver.rule for waiver in decision.waivers())
    words = "the gate passes it" if decision.promote else "the gate refuses it"
    words = f"{words}, with {waived} waived" if waived else words
    return "; ".join([words, *decision.refused_before])
