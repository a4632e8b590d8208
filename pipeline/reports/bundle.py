"""Reports of the stages that make what people read and load."""

from pipeline.reports.base import Report


class PageReport(Report):
    """Of the stage report."""

    verdict: str
    files: dict[str, str]  # path below build/report -> SHA-256


class BundleReport(Report):
    """Of the stage bundle."""

    name: str
    architecture: str  # the transformers class that loads it
    labels: tuple[str, ...]
    files: dict[str, str]  # path below build/bundle -> SHA-256, this report excepted
    digest: str  # of `files`
    parity: float  # largest absolute difference of a probability from the head's own
    parity_texts: int
