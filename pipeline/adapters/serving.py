"""What MLflow loads to serve a bundle: ``mlflow models serve -m models:/NAME@champion``.

MLflow finds `_load_pyfunc` by its name. This code is stored with every model, so that a later
version of it cannot change what an earlier model answers.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.adapters import signing

if TYPE_CHECKING:
    import pandas

_BATCH_TEXTS = 32


def _load_pyfunc(folder: str) -> "Server":
    """Load a bundle after checking its digests and, if there is a public key, its signature."""
    return Server(Path(folder))


class Server:
    """Answers each text with the most likely label and its probability."""

    def __init__(self, bundle: Path) -> None:
        files.verify_files(bundle)
        signing.check(bundle, required=False)
        import transformers

        transformers.utils.logging.disable_progress_bar()
        self._ask = transformers.pipeline("text-classification", model=str(bundle), truncation=True)

    def predict(self, frame: "pandas.DataFrame", params: Any = None) -> "pandas.DataFrame":  # noqa: ARG002
        """Answer the column ``text``, in its order: columns ``label`` and ``score``."""
        import pandas

        answers = self._ask(frame["text"].tolist(), batch_size=_BATCH_TEXTS)
        return pandas.DataFrame(answers, columns=["label", "score"])
