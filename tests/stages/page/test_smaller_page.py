"""What the page says of smaller models and other formats, against the reports that say it."""

import report_factory

from pipeline.reports import CompressReport, ExportReport
from pipeline.stages.page import smaller

MADE = report_factory.make()


def test_nothing_is_shown_where_nothing_was_made() -> None:
    compressed = MADE["compress"]
    assert isinstance(compressed, CompressReport)
    assert smaller.compressed(compressed) is None
    assert smaller.formats(ExportReport(torch_bytes=None, formats=())) is None


def test_each_format_has_its_size_accuracy_difference_and_widest_gap() -> None:
    export = MADE["export"]
    assert isinstance(export, ExportReport)
    first, second = export.formats
    wide = second.gaps[2].gap.model_copy(update={"high": 0.31})
    gaps = (*second.gaps[:2], second.gaps[2].model_copy(update={"gap": wide}), *second.gaps[3:])
    changed = export.model_copy(
        update={"formats": (first, second.model_copy(update={"gaps": gaps}))}
    )
    table = smaller.formats(changed)
    assert table is not None
    name, size, accuracy, difference, widest = table.rows[1]
    assert name == "onnx/int8.onnx (probabilities differ by 0.08 at most)"
    assert (size, accuracy) == ("29.4", "0.813 [0.803, 0.823]")
    assert difference == "-0.001 [-0.005, 0.003]"
    assert widest == "0.310, true positive rate by gender"


def test_gaps_that_no_row_supports_are_not_measured_rather_than_none() -> None:
    export = MADE["export"]
    assert isinstance(export, ExportReport)
    undefined = {"point": None, "low": None, "high": None, "note": "fewer than 50 rows"}
    gaps = tuple(
        gap.model_copy(update={"gap": gap.gap.model_copy(update=undefined)})
        for gap in export.formats[0].gaps
    )
    only = export.formats[0].model_copy(update={"gaps": gaps})
    table = smaller.formats(export.model_copy(update={"formats": (only,)}))
    assert table is not None
    assert table.rows[0][-1] == "not measured"


def test_a_smaller_encoder_is_shown_beside_its_teacher() -> None:
    compressed = MADE["compress"].model_copy(
        update={
            "method": "prune",
            "parameters": 18_000_000,
            "tokens": 131072,
            "teacher_loss": 5.63,
            "initial_loss": 9.1,
            "final_loss": 5.9,
        }
    )
    assert isinstance(compressed, CompressReport)
    table = smaller.compressed(compressed)
    assert table is not None
    assert "fewer feed-forward units" in table.caption
    assert [row[1:] for row in table.rows] == [
        ("22,713,216", "5.63"),
        ("18,000,000", "9.10"),
        ("18,000,000", "5.90"),
    ]
