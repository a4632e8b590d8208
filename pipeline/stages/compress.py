"""Compress: a smaller encoder in the place of the pretrained one, where params.yaml asks for it.

With method none only the report is written, and later stages use build/pretrain. Otherwise they use
this stage's model, so that the smaller one is evaluated, audited and published.
"""

import shutil

from pipeline import layout, reports
from pipeline.params import CompressParams
from pipeline.reports import CompressReport, PretrainReport
from pipeline.track import Track

OUT = layout.stage_dir("compress")


def run(params: CompressParams, track: Track) -> CompressReport:
    """Write build/compress/model, unless the method is none.

    Raises:
        InputError: where an earlier stage has not run, or the encoder cannot be made smaller.
    """
    shutil.rmtree(OUT, ignore_errors=True)
    pretrained = reports.read(PretrainReport)
    if params.method == "none":
        return CompressReport(
            method="none",
            teacher_digest=pretrained.encoder_digest,
            encoder_digest=pretrained.encoder_digest,
            teacher_parameters=pretrained.parameters,
            parameters=pretrained.parameters,
        )
    from pipeline.stages import _smaller  # loads torch

    return _smaller.make(params, OUT / "model", track)
