"""policy.yaml as frozen, typed rules."""

import json
import typing
from pathlib import Path
from typing import Any, Literal, Self

import pydantic

from pipeline import files, layout, reports
from pipeline.errors import InputError, nearest, plain_message
from pipeline.params import Section, tuples
from pipeline.policy.evidence import BOUNDS, parse_path
from pipeline.policy.references import REFERENCES

Severity = Literal["block", "warn"]
Applies = Literal[
    "always", "frozen_encoder", "with_champion", "with_canaries", "with_onnx", "with_int8"
]
Leniency = Literal["fail", "warn"]
Statistic = Literal["interval", "upper", "lower", "paired_difference", "point", "p_value"]

_ROOTS = (*reports.STAGE_REPORTS, "policy", "champion")  # what a path may begin with
_Threshold = typing.Annotated[float, pydantic.Field(allow_inf_nan=False)]


class Rule(Section):
    """A requirement on one figure of the reports.

    For an estimate, the whole interval must lie within ``min`` and ``max``: if all of it does the
    rule passes, if none of it does the rule fails, otherwise it is inconclusive. A plain value must
    itself lie within them, or ``equals`` a value, or be the ``same_as`` the text at another path.

    ``statistic`` says which part of an estimate is meant: its ``interval``; its ``upper`` or
    ``lower`` bound (of a gap a simultaneous one), which is the interval against ``max`` or ``min``
    alone; the ``paired_difference`` to the champion, also an interval; or its ``point``, which is
    judged without its interval and so may only warn. A ``p_value`` is a plain number whose level is
    ``max``: those of one ``family`` are adjusted by Holm before they are judged.

    A gap leaves out groups with too few rows, so it passes no rule that requires such a group. A
    rule requires its ``groups``; if it names none, all that the data have.
    """

    id: str = pydantic.Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    why: str = pydantic.Field(min_length=1)  # a sentence for a reader who is no statistician
    metric: str  # a path, see `evidence`
    min: _Threshold | None = None
    max: _Threshold | None = None
    equals: bool | str | None = None
    same_as: str | None = None  # a path
    groups: tuple[str, ...] = ()  # that a gap must compare; empty: every one
    min_n: int | None = pydantic.Field(default=None, ge=1)  # least support of an estimate
    severity: Severity = "block"  # whether failing it keeps the bundle from promotion
    applies: Applies = "always"
    statistic: Statistic | None = None  # null: the interval of an estimate, or the plain value
    family: str | None = pydantic.Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]*$")
    waivable: bool = False  # whether an approver may let a bundle pass that does not pass this
    references: tuple[str, ...] = ()  # ids of `references.REFERENCES`
    on_missing: Leniency = "fail"  # warn: no evidence, or too little, does not block
    on_inconclusive: Leniency = "fail"  # warn: an interval across the threshold does not block

    @pydantic.field_validator("metric", "same_as")
    @classmethod
    def _is_path(cls, value: str | None) -> str | None:
        if value is not None:
            root, *others = (step.name for step in parse_path(value))
            if root not in _ROOTS:
                raise ValueError(f"{root!r} is no stage{nearest(root, _ROOTS)}")
            if into := [name for name in others if name in BOUNDS]:
                raise ValueError(
                    f"{into[0]!r} is part of an estimate; name the estimate, whose interval and n"
                    " are asked too"
                )
        return value

    @pydantic.model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        bounded = self.min is not None or self.max is not None
        if bounded + (self.equals is not None) + (self.same_as is not None) != 1:
            raise ValueError("give either min and/or max, or equals, or same_as")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max: nothing can pass")
        return self

    @pydantic.field_validator("references")
    @classmethod
    def _are_known(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        for each in ids:
            if each not in REFERENCES:
                raise ValueError(f"{each!r} is no reference{nearest(each, REFERENCES)}")
        return ids

    @pydantic.model_validator(mode="after")
    def _asks_for_a_fitting_statistic(self) -> Self:
        bounds = (self.min is not None, self.max is not None)
        needed = {"upper": (False, True), "lower": (True, False), "p_value": (False, True)}
        if self.statistic in needed and bounds != needed[self.statistic]:
            side = "min" if self.statistic == "lower" else "max"
            raise ValueError(f"statistic {self.statistic} needs {side}, and nothing else")
        if self.statistic is not None and not any(bounds):
            raise ValueError(f"statistic {self.statistic} needs min or max")
        if self.statistic == "point" and self.severity == "block":
            raise ValueError("a point is no proof without its interval; it may only warn")
        paired = parse_path(self.metric)[0].name == "champion"
        if self.statistic == "paired_difference" and not paired:
            raise ValueError("a paired difference is champion.difference")
        if (self.family is None) != (self.statistic != "p_value"):
            raise ValueError("a p_value has a family, and nothing else has one")
        return self

    def required(self) -> str:
        """Return what the rule asks for, in symbols."""
        if self.same_as is not None:
            return f"= {self.same_as}"
        if self.equals is not None:
            return f"= {json.dumps(self.equals)}"
        bounds = {">=": self.min, "<=": self.max}
        return " and ".join(f"{sign} {b:g}" for sign, b in bounds.items() if b is not None)


class PolicyFile(Section):
    """policy.yaml."""

    confidence: float = pydantic.Field(gt=0.5, lt=1)  # least, of every interval
    require_signature: bool = False  # whether a bundle must be signed to be champion
    approval: Literal["none", "required"] = "none"  # of a bundle that the gate passes, by a person
    approvers: dict[str, str] = pydantic.Field(default_factory=dict)  # name -> public key
    rules: tuple[Rule, ...]

    @pydantic.field_validator("rules")
    @classmethod
    def _can_refuse(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        ids = [rule.id for rule in rules]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"the id {twice[0]!r} stands twice")
        if not any(rule.severity == "block" for rule in rules):
            raise ValueError("no rule blocks, so everything would be promoted")
        return rules

    @pydantic.model_validator(mode="after")
    def _has_someone_to_approve(self) -> Self:
        if self.approval == "required" and not self.approvers:
            raise ValueError("approval is required and approvers names nobody who could give it")
        return self


class Policy(PolicyFile):
    """The rules, and the SHA-256 of their file."""

    digest: str


def load(path: Path = layout.POLICY) -> Policy:
    """Read a policy.

    Raises:
        InputError: naming the file, the rule and the key.
    """
    raw = files.read_yaml(path)
    if "digest" in raw:
        raise InputError(f"{path}: digest: unknown key; it is computed from the file")
    rules = raw.get("rules")
    try:
        return Policy.model_validate({**tuples(raw), "digest": files.sha256_file(path)})
    except pydantic.ValidationError as error:
        problems = "\n".join(f"{path}: {_explain(problem, rules)}" for problem in error.errors())
        raise InputError(problems) from error


def schema() -> dict[str, Any]:
    """Return the JSON Schema of policy.yaml, by which an editor completes and checks it."""
    made = PolicyFile.model_json_schema()
    made["$defs"]["Rule"]["properties"]["references"]["items"]["enum"] = sorted(REFERENCES)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _explain(problem: Any, rules: Any) -> str:
    location = list(problem["loc"])
    known: Any = Policy.model_fields
    if len(location) > 1:
        known = Rule.model_fields
        rule = rules[location[1]]
        location[1] = rule.get("id", location[1]) if isinstance(rule, dict) else location[1]
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(str(location[-1]), known)}"
    if problem["type"] == "missing":
        return f"{key}: missing; add it"
    return f"{key}: {plain_message(problem)}" + (
        "" if len(location) < 3 else f" (got {problem['input']!r})"
    )
