"""The page in Chinese: every sentence has a translation, and none says another thing."""

import html
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import messages
import pytest
import yaml
from huggingface_hub import ModelCard
from markupsafe import escape
from page_cases import HOSTILE, ODD, ROOT, make_page, read_page

from pipeline.policy.rules import load
from pipeline.stages.page import language
from pipeline.stages.page.language import English, reported, say, speaking
from pipeline.stages.page.render import breakable

ZH = language.CATALOGUES / "zh"
FROM_DATA = {"names.yaml", "reports.yaml"}  # of texts that are in no template and no code here
MARKED = re.compile(r"%\(\w+\)s|%%|</?\w+[^>]*>|`[^`]+`")
WORDS = re.compile(r"[A-Za-z][A-Za-z'\u2019-]*(?:,? \(?[A-Za-z][A-Za-z'\u2019-]*)+")
NAMES = {  # of works, tests and standards, and the data's own texts
    "A title",
    "Adebayo et al",
    "AI RMF",
    "Blodgett et al",
    "Borkan et al",
    "Carlini et al",
    "CC BY",
    "Datasheets for Datasets",
    "DeYoung et al",
    "He was",
    "Hooker et al",
    "It was",
    "It was not",
    "May et al",
    "NIST AI",
    "NIST AI RMF",
    "NIST AI RMF MEASURE",
    "ROC AUC",
    "SEAT sent-weat",
    "Ribeiro et al",
    "She was",
    "Stereotyping Norwegian Salmon",
    "Sundararajan et al",
}
FILES = ("index.html", "model_card.md", "technical_file.md", "data_sheet.md")


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Shown(HTMLParser):
    """What a reader of Chinese is shown: text and labels, less code and what says it is English."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.skipped: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.skipped or tag in {"style", "code"} or ("lang", "en") in attrs:
            self.skipped += [tag] if tag not in {"br", "wbr", "meta"} else []
        self.text += "" if tag == "wbr" else "\n"
        self.text += "\n".join(v or "" for k, v in attrs if k in {"data-column", "aria-label"})

    def handle_endtag(self, tag: str) -> None:
        if self.skipped:
            assert self.skipped.pop() == tag
        self.text += "\n"

    def handle_data(self, data: str) -> None:
        self.text += "" if self.skipped else data


def entries() -> list[tuple[str, str]]:
    return [(each["en"], each["zh"]) for path in ZH.iterdir() for each in language.read(path)]


def test_every_sentence_of_templates_code_and_laws_has_a_translation() -> None:
    """Against the templates' and the code's own syntax trees; the message lists what is missing."""
    found = messages.every()
    assert len(found) > 450
    assert sorted(found - set(language.catalogue("zh"))) == []


def test_no_translation_is_of_a_sentence_that_is_gone() -> None:
    ours = [path for path in ZH.iterdir() if path.name not in FROM_DATA]
    kept = {each["en"] for path in ours for each in language.read(path)}
    assert sorted(kept - messages.every()) == []


def test_a_translation_keeps_the_places_the_tags_and_the_code_of_the_original() -> None:
    """Or a figure would be dropped, or an element left open."""
    assert len(entries()) > 600
    for english, chinese in entries():
        places = set(MARKED.findall(english)), set(MARKED.findall(chinese))
        assert places[0] == places[1], english
        tags = [Counter(re.findall(r"</?\w+", text)) for text in (english, chinese)]
        assert tags[0] == tags[1], english


def test_no_sentence_has_two_translations() -> None:
    counts = Counter(english for english, _ in entries())
    assert [english for english, count in counts.items() if count > 1] == []


def test_every_reason_of_the_default_policy_has_a_translation() -> None:
    policy = load(ROOT / "policy.yaml")
    with speaking("zh"):
        told = [reported(rule.why) for rule in policy.rules]
    assert [each for each in told if isinstance(each, English)] == []


@pytest.mark.parametrize("case", sorted(set(ODD) - {"hostile", "long names"}))
def test_no_english_is_left_in_chinese_but_names_and_data(case: str) -> None:
    """Against words of Latin letters that stand side by side."""
    make_page(ODD[case], language="zh")
    for name in FILES:
        text = (Path("build/report") / name).read_text(encoding="utf-8")
        if name.endswith(".md"):
            text = re.sub(r"(?ms)^---$.*?^---$|```.*?```|`[^`]*`", "", text)
        shown = Shown(text).text if name.endswith(".html") else text
        assert len(re.findall("[一-鿿]", shown)) > 400
        assert set(WORDS.findall(shown)) - NAMES == set(), name


def test_the_chinese_page_says_so_and_the_card_names_the_language_of_the_texts() -> None:
    make_page(language="zh")
    assert '<html lang="zh-CN">' in read_page()
    assert ModelCard(Path("build/report/model_card.md").read_text()).data.language == "en"
    make_page(language="en")
    assert '<html lang="en">' in read_page()


def test_equal_reports_give_equal_bytes_in_chinese_and_leave_english_as_it_was() -> None:
    english = make_page()
    chinese = make_page(language="zh")
    assert make_page(language="zh") == chinese
    assert make_page() == english
    assert set(chinese.files.values()).isdisjoint(english.files.values())


def test_hostile_text_stays_text_in_chinese() -> None:
    """No element of the text's making, and the text in full."""
    make_page(ODD["hostile"], title=f"T{HOSTILE}", language="zh")
    page = read_page()
    assert not re.search(r"<(script|img)", page)
    shown = html.unescape(page.replace("<wbr>", ""))
    for mark in "Tabcdefh":
        assert f"{mark}{HOSTILE}" in shown, mark
    for name in FILES[1:]:
        body = Path("build/report", name).read_text().split("\n---\n", 1)[-1]
        assert not re.search(r"<(script|img)", body)


def test_a_sentence_without_translation_is_shown_in_english() -> None:
    with speaking("zh"):
        assert say("Nobody put this in Chinese: %(n)s.", n=3) == "Nobody put this in Chinese: 3."
        assert breakable(reported("<b> is odd")) == '<span lang="en">&lt;b&gt; is odd</span>'
        assert escape(reported("<b> is odd")) == '<span lang="en">&lt;b&gt; is odd</span>'
    assert reported("<b> is odd") == "<b> is odd"


def test_a_text_of_a_report_is_translated_by_its_pattern_and_its_parts_by_theirs() -> None:
    with speaking("zh"):
        few = "43 of the 50 rows needed for label positive; 25 of the 50 rows needed"
        each = "少于所需的 50 条"
        assert reported(few) == f"标签 positive 仅 43 条，{each}；仅 25 条，{each}"
        across = "the interval [0.03, 0.12] lies across the limit at most 0.1"
        assert reported(across) == "区间 [0.03, 0.12] 跨越限值（至多 0.1）"


def test_the_language_is_given_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), speaking("zh"):
        raise ZeroDivisionError
    assert language.is_english()


def test_the_interim_measures_have_their_own_title() -> None:
    make_page(language="zh")
    assert "《生成式人工智能服务管理暂行办法》" in read_page()
    assert "第四条第（二）项" in Path("build/report/technical_file.md").read_text()


def test_the_catalogues_are_pairs_of_texts() -> None:
    """A key written twice in an entry, or a number, would be dropped or break the page."""
    for path in ZH.iterdir():
        for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
            assert set(entry) == {"en", "zh"}
            assert all(isinstance(text, str) and text for text in entry.values())
