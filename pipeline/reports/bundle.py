"""Reports of the stages report and bundle."""

from pipeline.reports.base import Report


class PageReport(Report):
    """The report of the stage report."""

    verdict: str
    files: dict[str, str]  # path below build/report -> SHA-256


class BundleReport(Report):
    """The report of the stage bundle."""

    name: str
    architecture: str  # the transformers class that loads it
    labels: tuple[str, ...]
    files: dict[str, str]  # path below build/bundle -> SHA-256, without this report
    digest: str  # of `files`
    parity: float  # largest difference between a probability of the bundle and the model's own
    parity_texts: int
