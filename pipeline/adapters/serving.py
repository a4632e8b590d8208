"""What MLflow loads to serve a bundle: ``mlflow models serve -m models:/NAME@champion``.

MLflow finds `_load_pyfunc` by its name. It is stored with every model, so that a later version of
this code cannot change what an earlier model answers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files

if TYPE_CHECKING:
    import pandas

_BATCH_TEXTS = 32


def _load_pyfunc(folder: str) -> "Server":
    """Load a bundle whose files are what its digests say."""
    return Server(Path(folder))


class Server:
    """Answers texts with a label and that label's probability, as the evaluation did."""

    def __init__(self, bundle: Path) -> None:
        files.verify_files(bundle)
        import transformers

        finetuned = files.read_json(bundle / "reports" / "finetune.json")
        self._labels: list[str] = finetuned["labels"]
        self._threshold: float | None = finetuned["threshold"]
        self._pipeline = transformers.pipeline(
            "text-classification", model=str(bundle), top_k=None, truncation=True
        )

    def predict(self, frame: "pandas.DataFrame", params: Any = None) -> "pandas.DataFrame":  # noqa: ARG002
        """Answer the column ``text``, in its order: columns ``label`` and ``score``."""
        import pandas

        said = self._pipeline(frame["text"].tolist(), batch_size=_BATCH_TEXTS)
        answers = [self._decide({each["label"]: each["score"] for each in row}) for row in said]
        return pandas.DataFrame(answers, columns=["label", "score"])

    def _decide(self, scores: dict[str, float]) -> tuple[str, float]:
        label = choose([scores[label] for label in self._labels], self._threshold)
        return self._labels[label], scores[self._labels[label]]


def choose(probabilities: Sequence[float], threshold: float | None) -> int:
    """Return the label said of one text: by the threshold on label 1, if there is one."""
    if threshold is not None:
        return int(probabilities[1] >= threshold)
    return max(range(len(probabilities)), key=lambda label: probabilities[label])
