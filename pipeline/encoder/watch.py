"""The position of a pretraining run, and the observers of its steps."""

import math
from dataclasses import dataclass, replace
from typing import Protocol

from pipeline.reports import CurvePoint


@dataclass(frozen=True)
class Position:
    """How far a run has come."""

    step: int = 0  # steps done
    tokens: int = 0  # seen, padding left out
    losses: tuple[float, ...] = ()  # of the steps since the curve's last point
    curve: tuple[CurvePoint, ...] = ()

    def after(self, loss: float, tokens: int) -> "Position":
        """Return the position one step on."""
        return replace(
            self, step=self.step + 1, tokens=self.tokens + tokens, losses=(*self.losses, loss)
        )

    def marked(self, learning_rate: float, heldout: float | None) -> "Position":
        """Return the position with a point added to the curve."""
        point = CurvePoint(
            step=self.step,
            tokens=self.tokens,
            loss=math.fsum(self.losses) / len(self.losses),
            learning_rate=learning_rate,
            heldout_loss=heldout,
        )
        return replace(self, losses=(), curve=(*self.curve, point))


class Watch(Protocol):
    """An observer of a run."""

    def step(self, position: Position, loss: float, learning_rate: float) -> None:
        """After every step, with its own loss."""

    def point(self, point: CurvePoint) -> None:
        """At every point of the curve."""

    def say(self, message: str) -> None:
        """With a message for a person, such as a resumption or a damaged checkpoint."""


class Unwatched:
    """A `Watch` that does nothing; subclasses override what they need."""

    def step(self, position: Position, loss: float, learning_rate: float) -> None:
        """Do nothing."""

    def point(self, point: CurvePoint) -> None:
        """Do nothing."""

    def say(self, message: str) -> None:
        """Do nothing."""
