"""Bundle: everything that is published, as a directory that stock transformers loads."""

import shutil

import numpy as np

from pipeline import files, layout, reports
from pipeline import params as settings
from pipeline.adapters import rows, sbom
from pipeline.encoder import classifier
from pipeline.encoder.tokenizer import save_tokenizer
from pipeline.errors import InputError
from pipeline.params import BundleParams
from pipeline.reports import STAGE_REPORTS, BundleReport, ExportReport, FinetuneReport
from pipeline.stages._shipped import MAX_DIFFERENCE, shipped_model, shipped_tokenizer
from pipeline.track import Track

OUT = layout.stage_dir("bundle")
SBOM = "sbom.cdx.json"
DOCUMENTS = {  # name in build/report -> name in the bundle
    "model_card.md": "README.md",
    "technical_file.md": "technical_file.md",
    "data_sheet.md": "data_sheet.md",
}
_COMPARED_TEXTS = 256
_ONE_FILE = "1TB"  # a shard's size: the weights stay one file


def run(params: BundleParams, track: Track) -> BundleReport:
    """Write build/bundle: model, tokenizer, documents, reports/, SBOM, and last digests.json.

    Raises:
        InputError: where an earlier stage has not run, or the model that is loaded from the bundle
            gives other probabilities than the stages' own.
    """
    finetuned = reports.read(FinetuneReport)
    shutil.rmtree(OUT, ignore_errors=True)
    model = shipped_model(finetuned)
    model.save_pretrained(OUT, max_shard_size=_ONE_FILE)
    save_tokenizer(shipped_tokenizer(), OUT)
    texts = rows.read_split("validation").texts[:_COMPARED_TEXTS]
    difference = _compare(texts)
    _copy_exports()
    _copy_documents()
    files.write_json(OUT / SBOM, sbom.make(params.name, files.sha256_tree(OUT)))
    digests = files.sha256_tree(OUT)
    files.write_json(OUT / files.DIGESTS, digests)
    track.metrics({"parity": difference}, step=0)
    return BundleReport(
        name=params.name,
        architecture=type(model).__name__,
        labels=finetuned.labels,
        files=digests,
        digest=files.sha256_digests(digests),
        parity=difference,
        parity_texts=len(texts),
    )


def _compare(texts: tuple[str, ...]) -> float:
    """Return the largest difference between a probability of the bundle and the model's own."""
    stages = (layout.encoder_dir(), layout.stage_dir("finetune"))
    ours = classifier.load(*stages, settings.load().features).probabilities(texts)
    stock = classifier.load_stock(OUT).probabilities(texts)
    difference = float(np.abs(ours - stock).max())
    if not difference <= MAX_DIFFERENCE:
        shutil.rmtree(OUT)
        raise InputError(
            f"build/bundle: probabilities differ by {difference:.1e} from build/finetune; "
            "run `dvc repro --force finetune`, then `dvc repro`"
        )
    return difference


def _copy_exports() -> None:
    """Copy the other formats, which the stage export has measured."""
    for made in reports.read(ExportReport).formats:
        path = layout.stage_dir("export") / made.file
        if not path.is_file() or files.sha256_file(path) != made.digest:
            raise InputError(f"{path}: changed since it was measured; run `dvc repro export`")
        files.write_bytes(OUT / made.file, path.read_bytes())


def _copy_documents() -> None:
    for made, kept in DOCUMENTS.items():
        path = layout.stage_dir("report") / made
        if not path.is_file():
            raise InputError(f"{path}: not found; run `dvc repro report` first")
        files.write_bytes(OUT / kept, path.read_bytes())
    for stage, kind in STAGE_REPORTS.items():
        if stage != "bundle":
            reports.read(kind)  # checks that it is there and valid
            path = OUT / "reports" / f"{stage}.json"
            files.write_bytes(path, layout.report_path(stage).read_bytes())
