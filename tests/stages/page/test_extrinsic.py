"""What the page says of groups and changed texts is what the audit reported."""

from typing import Any

import page_cases
import report_factory

from pipeline.policy import gate, rules
from pipeline.reports import Detectable
from pipeline.stages.page import extrinsic, figures, untested


def audit(**changes: Any) -> Any:
    return report_factory.make()["audit"].model_copy(update=changes)


def decide() -> gate.Decision:
    policy = rules.load(page_cases.ROOT / "policy.yaml")
    return gate.decide(report_factory.make_json(policy.digest), policy, champion=None)


def empty_group() -> Any:
    """A group of no rows, as the audit reports it."""
    none = {"point": None, "low": None, "high": None, "n": 0, "note": "no rows"}
    one = audit().groups["gender"][0]
    kept = {"value": "both", "label": "", "rows": 0, "positives": 0}
    return type(one).model_validate({name: kept.get(name, none) for name in type(one).model_fields})


def test_every_group_of_every_column_has_a_row_and_its_figures() -> None:
    report = audit()
    for table, (column, scores) in zip(
        extrinsic.group_tables(report), report.groups.items(), strict=True
    ):
        assert column in table.caption
        assert [row[0] for row in table.rows] == [score.value for score in scores]
        assert [row[3] for row in table.rows] == [figures.value(s.accuracy) for s in scores]


def test_an_empty_group_stays_in_the_table_and_is_one_line_of_what_was_not_tested() -> None:
    report = audit(groups={"gender": (empty_group(),)})
    (table,) = extrinsic.group_tables(report)
    assert table.rows == (("both", "0", "0", *["not measured"] * 3),)
    found = [place for place, _ in untested.undefined(report) if "mitigation" not in place]
    assert found == ["groups, gender, both"]


def test_a_gap_that_no_such_rows_could_show_is_said_to_be_so_and_not_zero() -> None:
    none = Detectable(gap=None, power=0.8, n=8, note="no gap, however wide")
    gap = audit().gaps[0].model_copy(update={"detectable": none, "p_adjusted": None})
    table = extrinsic.detectable(audit(gaps=(gap,)))
    assert table is not None
    assert table.rows[0][1:] == ("not measured", "no gap, however wide", "not measured")


def test_failures_are_shown_by_what_was_done_and_nothing_where_nothing_was_tested() -> None:
    report, decision = audit(), decide()
    drawn = extrinsic.behaviour(report, decision)
    assert drawn is not None
    assert drawn.limit == "tolerance"
    labels = [row.label for _, rows in drawn.groups for row in rows]
    assert labels == ["Two letters exchanged", "A “not” added"]
    assert extrinsic.failures(report)[0].before == "0.930"
    assert extrinsic.behaviour(audit(behaviour=()), decision) is None
