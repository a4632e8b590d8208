"""Export: the model in other formats, each measured on the test rows as the model itself was.

A format with other arithmetic gives other answers. So its accuracy is compared with the evaluated
model's row by row, and its gaps between groups are measured as in the audit. policy.yaml has rules
on both.
"""

import shutil

from pipeline import layout
from pipeline.params import ExportParams
from pipeline.reports import ExportReport
from pipeline.track import Track

OUT = layout.stage_dir("export")


def run(params: ExportParams, track: Track) -> ExportReport:
    """Write build/export/onnx, or only the report if no format is asked for.

    Raises:
        InputError: where an earlier stage has not run, or the float32 format gives other
            probabilities than the evaluated model.
    """
    shutil.rmtree(OUT, ignore_errors=True)
    if not params.formats:
        return ExportReport(torch_bytes=None, formats=())
    from pipeline.stages import _formats  # loads torch

    return _formats.make(params, OUT, track)
