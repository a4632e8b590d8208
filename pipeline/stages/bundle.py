"""Bundle: everything that is published, as a directory that stock transformers loads."""

import shutil
from typing import Any

import numpy as np

from pipeline import files, layout, reports
from pipeline import params as settings
from pipeline.adapters import rows, sbom
from pipeline.encoder import classifier
from pipeline.encoder.assemble import assemble
from pipeline.encoder.head import load_head
from pipeline.encoder.loading import load_encoder
from pipeline.encoder.tokenizer import load_tokenizer, save_tokenizer
from pipeline.errors import InputError
from pipeline.params import BundleParams
from pipeline.reports import STAGE_REPORTS, BundleReport, FeaturesReport, FinetuneReport
from pipeline.track import Track

OUT = layout.stage_dir("bundle")
MAX_DIFFERENCE = 1e-3  # of a probability: more is no rounding, and nothing is bundled
SBOM = "sbom.cdx.json"
DOCUMENTS = {  # of build/report -> in the bundle
    "model_card.md": "README.md",
    "technical_file.md": "technical_file.md",
    "data_sheet.md": "data_sheet.md",
}
_COMPARED_TEXTS = 256
_ONE_FILE = "1TB"  # a shard's size: the weights stay one file


def run(params: BundleParams, track: Track) -> BundleReport:
    """Write build/bundle: model, tokenizer, documents, reports/, bill, and last digests.json.

    Raises:
        InputError: where an earlier stage has not run, or the model read back from the bundle
            gives other probabilities than the stages' own.
    """
    finetuned = reports.read(FinetuneReport)
    shutil.rmtree(OUT, ignore_errors=True)
    model = _model(finetuned)
    model.save_pretrained(OUT, max_shard_size=_ONE_FILE)
    save_tokenizer(_tokenizer(), OUT)
    texts = rows.read_split("validation").texts[:_COMPARED_TEXTS]
    difference = _compare(texts)
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


def _model(finetuned: FinetuneReport) -> Any:
    if finetuned.mode == "full":
        return classifier.load_sequence_model(layout.stage_dir("finetune") / "model")
    encoder = load_encoder(layout.stage_dir("pretrain") / "model")
    head = load_head(layout.stage_dir("finetune"))
    return assemble(encoder, head, reports.read(FeaturesReport).pooling, finetuned.labels)


def _tokenizer() -> Any:
    """Return the tokenizer, which cuts texts where the head's features were cut."""
    tokenizer = load_tokenizer(str(layout.stage_dir("pretrain") / "model"), "build/pretrain")
    tokenizer.model_max_length = reports.read(FeaturesReport).max_len_tokens
    return tokenizer


def _compare(texts: tuple[str, ...]) -> float:
    """Return the largest difference of a probability between the bundle and the stages' model."""
    stages = (layout.stage_dir("pretrain"), layout.stage_dir("finetune"))
    ours = classifier.load(*stages, settings.load().features).probabilities(texts)
    stock = classifier.load_stock(OUT).probabilities(texts)
    difference = float(np.abs(ours - stock).max())
    if not difference <= MAX_DIFFERENCE:
        shutil.rmtree(OUT)
        raise InputError(
            f"build/bundle: probabilities differ by {difference:.1e} from build/finetune; "
            "run `dvc repro --force finetune` and again"
        )
    return difference


def _copy_documents() -> None:
    for made, kept in DOCUMENTS.items():
        path = layout.stage_dir("report") / made
        if not path.is_file():
            raise InputError(f"{path}: not found; run `dvc repro report` first")
        files.write_bytes(OUT / kept, path.read_bytes())
    for stage, kind in STAGE_REPORTS.items():
        if stage != "bundle":
            reports.read(kind)  # is there, and is of its kind
            path = OUT / "reports" / f"{stage}.json"
            files.write_bytes(path, layout.report_path(stage).read_bytes())
