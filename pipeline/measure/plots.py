"""Plots of scores and gaps as SVG; equal figures give equal bytes."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from pipeline import files
from pipeline.measure.calibration import Bins
from pipeline.reports import Estimate, Gap

_INK, _BLUE, _ORANGE, _GREY = "#222222", "#0072b2", "#d55e00", "#999999"  # Okabe and Ito 2008
_STYLE: Any = {
    "svg.hashsalt": "charter",  # else the ids are random
    "svg.fonttype": "none",  # text stays text: smaller, and read aloud
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_MAX_NAMED_LABELS = 12  # more lines or columns than this cannot be read with their names


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG without date or maker, whole or not at all."""
    with (
        mpl.rc_context(_STYLE),
        files.replacing(path) as temporary,
        warnings.catch_warnings(),
    ):
        # text stays text, so that the reader's fonts draw what matplotlib's have not
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})


def confusion(counts: Sequence[Sequence[int]], names: Sequence[str]) -> Figure:
    """Draw counts (K, K), true labels down and predicted across, shaded by the share of the row."""
    table = np.array(counts, dtype=np.float64)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure, axes = _canvas(4.6, 4.0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="true")
    if len(names) > _MAX_NAMED_LABELS:
        return figure
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=30 if len(names) > 3 else 0)
    axes.set_yticks(ticks, names)
    for line, column in np.ndindex(*table.shape):
        shade = "white" if shares[line, column] > 0.5 else _INK
        text = f"{counts[line][column]}"
        axes.text(column, line, text, ha="center", va="center", color=shade)
    return figure


def reliability(bins: Bins) -> Figure:
    """Draw accuracy against confidence; a calibrated model lies on the diagonal."""
    figure, axes = _canvas(4.6, 4.0)
    low = float(min(bins.confidence.min(), bins.accuracy.min()))
    axes.plot([low, 1], [low, 1], color=_GREY, linestyle="--", label="calibrated")
    axes.plot(bins.confidence, bins.accuracy, color=_BLUE, marker="o", label="model")
    axes.set(xlabel="confidence in the likeliest label", ylabel="share that is right")
    axes.legend(frameon=False)
    return figure


def roc(curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw false and true positive rates of each label against the rest."""
    figure, axes = _canvas(4.6, 4.0)
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--")
    named = len(curves) <= _MAX_NAMED_LABELS
    for name, (false_rates, true_rates) in curves.items():
        axes.plot(false_rates, true_rates, linewidth=1.5 if named else 0.5, label=name)
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    if named:
        axes.legend(frameon=False, loc="lower right")
    return figure


def intervals(estimates: Mapping[str, Estimate], xlabel: str) -> Figure:
    """Draw one line for each estimate: its point, its interval, and its number of rows."""
    known = {name: e for name, e in estimates.items() if e.point is not None}
    figure, axes = _canvas(6.4, 1.0 + 0.32 * max(1, len(known)))
    for line, estimate in enumerate(known.values()):
        _draw_interval(axes, estimate, line)
    labels = [f"{name} (n={estimate.n})" for name, estimate in known.items()]
    axes.set_yticks(range(len(known)), labels)
    axes.set(xlabel=xlabel, ylim=(max(1, len(known)) - 0.5, -0.5))
    return figure


def gaps(measured: Sequence[Gap]) -> Figure:
    """Draw every defined gap with its bounds; 0 is no gap."""
    named = {f"{gap.column}: {gap.metric.replace('_', ' ')}": gap.gap for gap in measured}
    figure = intervals(named, "widest gap, with simultaneous bounds")
    figure.axes[0].axvline(0, color=_GREY, linewidth=1)
    figure.axes[0].set_xlim(left=-0.01)
    return figure


def _draw_interval(axes: Any, estimate: Estimate, line: int) -> None:
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [line, line], color=_BLUE, linewidth=2)
    axes.plot([estimate.point], [line], color=_ORANGE, marker="o", linestyle="none")


def _canvas(width_inches: float, height_inches: float) -> tuple[Figure, Any]:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
        return figure, figure.subplots()
