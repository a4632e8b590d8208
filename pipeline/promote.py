"""``python -m pipeline promote VERSION``: make a version champion by the gate's recorded decision.

This is for a version that the gate has passed and that had to wait. Nothing is measured again, so
the champion must still be the one that the gate compared it with.
"""

from typing import Any, Literal

from pipeline import approve, champion, decisions, files, trust
from pipeline.adapters.registry import AUTHOR_TAG, BUNDLE_TAG, Registry, Version
from pipeline.champion import CHAMPION
from pipeline.errors import InputError
from pipeline.params import BundleParams
from pipeline.policy import rules, waivers
from pipeline.policy.gate import Decision
from pipeline.policy.rules import Policy
from pipeline.reports import Report


class Promotion(Report):
    """What became of a version."""

    name: str
    version: str
    outcome: Literal["promoted", "already champion", "refused"]
    why: str = ""  # why it is refused

    def summary(self) -> str:
        """Return the outcome as a line."""
        return f"{self.name} version {self.version}: {self.outcome}" + (
            f": {self.why}" if self.why else ""
        )


def promote(params: BundleParams, number: str) -> Promotion:
    """Make a version champion if the gate has passed it and nothing has changed since.

    Raises:
        InputError: where the version was changed, or MLflow cannot be reached.
    """
    registry, policy = Registry(params.name), rules.load()
    with files.locked(champion.LOCK):
        version, present = registry.get(number), registry.at(CHAMPION)
        if present is not None and present.number == version.number:
            champion.check_alias(registry, version)
            return Promotion(name=params.name, version=number, outcome="already champion")
        trust.check_version(registry, version, policy)
        trust.check_made(registry, version)
        decision = trust.read_decision(registry, version, trust.DECISION)
        why = _refusal(registry, version, present, decision, policy)
        if decision is None or why:
            return Promotion(name=params.name, version=number, outcome="refused", why=why)
        crown(registry, version, present, decision)
    return Promotion(name=params.name, version=number, outcome="promoted")


def crown(
    registry: Registry, version: Version, present: Version | None, decision: Decision
) -> None:
    """Log the promotion, keep the decision that it rests on, move the alias, and tag that it moved.

    ``present`` is the champion that the gate compared the version with.

    Raises:
        InputError: where the alias has moved since.
    """
    _refuse_moved(registry, present)
    before = present.number if present else None
    head = champion.record(
        "promote",
        registry,
        version,
        reasons=[],
        from_version=before,
        **circumstances(decision),
    )
    trust.keep_record(registry, version, trust.PROMOTION, decision)
    registry.tag(
        version,
        decision="promoted",
        reasons="",
        log=head.log,
        **circumstances_as_tags(decision),
        **{champion.PREVIOUS: before or ""},
    )
    registry.point(CHAMPION, version)
    registry.tag(version, **{champion.CROWNED: str(head.entries)})


def complete(registry: Registry, champion_now: Version) -> None:
    """Set the champion's tag of its promotion, if that was cut short after the alias moved."""
    last = decisions.last_move(registry.name, champion_now.tags.get("log", ""))
    if last and last.action == "promote" and last.to_version == champion_now.number:
        registry.tag(champion_now, **{champion.CROWNED: str(last.entry)})


def circumstances(decision: Decision) -> dict[str, Any]:
    """Return for the log what a decision rests on besides its rules."""
    waived = [waiver.model_dump(mode="json") for waiver in decision.waivers()]
    return {"waivers": waived, "refused_before": list(decision.refused_before)}


def circumstances_as_tags(decision: Decision) -> dict[str, str]:
    """Return the same for the version's page."""
    return {
        "waivers": ", ".join(waiver.rule for waiver in decision.waivers()),
        "refused_before": "; ".join(decision.refused_before)[: champion.TAG_CHARS],
    }


def _refuse_moved(registry: Registry, compared: Version | None) -> None:
    """Refuse to take the alias from a champion that the bundle was not compared with.

    The lock is of this workspace; another one may promote to the same registry meanwhile.
    """
    now = registry.at(CHAMPION)
    if (now and now.number) != (compared and compared.number):
        raise InputError(
            f"{registry.name}: its champion was moved from elsewhere while this bundle was judged;"
            " publish again to compare it with the present one"
        )


def _refusal(
    registry: Registry,
    version: Version,
    present: Version | None,
    decision: Decision | None,
    policy: Policy,
) -> str:
    """Return why a version may not be champion; empty where it may."""
    if decision is None:
        return "the gate has not decided on it; run `python -m pipeline publish`"
    if not decision.promote:
        return "; ".join(decision.reasons())
    if champion.ROLLED_BACK in version.tags:
        return champion.explain_rolled_back(version)
    stale = _find_stale(version, present, decision, policy)
    return stale or approve.look_up(registry, version, policy).why


def _find_stale(
    version: Version, present: Version | None, decision: Decision, policy: Policy
) -> str:
    """Return what has changed since the gate passed a version; empty where nothing has."""
    if decision.policy_digest != policy.digest:
        return "policy.yaml was changed after the gate decided; run `dvc repro`, then publish"
    compared = decision.champion.version if decision.champion else None
    if compared != (present.number if present else None):
        return (
            "the champion is not the one that the gate compared it with; publish its bundle again"
        )
    bundle, author = version.tags[BUNDLE_TAG], version.tags.get(AUTHOR_TAG, "")
    for waiver in decision.waivers():
        why = waivers.refusal(waiver, policy, bundle, author, trust.today())
        if why:
            return f"the waiver of {waiver.rule} is not valid: {why}"
    return ""
