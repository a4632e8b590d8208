"""Whether new rows differ from the champion's data; kept in .charter/."""

from typing import Literal

from pipeline.reports.base import Estimate, Report

Part = Literal["vocabulary", "length", "classes", "features"]


class DriftTest(Report):
    """One way in which new rows may differ."""

    part: Part
    distance: str  # what `observed` is, in words
    observed: float
    threshold: float  # exceeded by chance alone with probability alpha
    detectable: float  # a true distance of this size is found with about 80% power, before Holm
    p_value: float  # by permutation
    p_adjusted: float  # by Holm (1979), over the parts
    drifted: bool  # p_adjusted is alpha or less


class DriftReport(Report):
    """New labelled rows compared with those that the champion was trained and tested on."""

    champion: str  # its version in the registry
    data_md5: str  # of data/ now
    champion_data_md5: str
    new_rows: int  # in data/labelled, not among the champion's
    known_rows: int  # the champion's
    gone_rows: int  # the champion's that are no longer in data/labelled
    compared_new: int
    compared_known: int
    alpha: float
    permutations: int
    tests: tuple[DriftTest, ...]  # none where there are too few new rows
    domain_auc: Estimate | None
    drifted: bool | None  # None: not tested
    note: str  # why it was not tested, or what was found
