"""The page as a real browser shows it: nothing runs, nothing is fetched, everything is readable."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import page_cases
import pytest
from page_cases import HOSTILE, ODD, make_page

pytestmark = pytest.mark.skipif(browser.PATH is None, reason="needs chromium or google-chrome")

PAGE = Path("build/report/index.html")
WIDTHS_PX = {"phone": 360, "tablet": 800, "desktop": 1280}

# WCAG 2.2, success criterion 1.4.3: contrast of text and the background behind it, by the relative
# luminance of sRGB. A canvas turns any CSS colour into bytes.
CONTRASTS = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = color => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const behind = node => {
    if (!node) return [255, 255, 255];
    const own = rgba(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(node.parentElement));
  };
  const luminance = rgb => rgb.map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  for (const node of document.body.querySelectorAll('*')) {
    const text = [...node.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!text || ['STYLE', 'title'].includes(node.tagName)) continue;
    const style = getComputedStyle(node);
    const ink = node instanceof SVGElement ? style.fill : style.color;
    const back = behind(node), pair = [luminance(over(rgba(ink), back)), luminance(back)];
    found.push([(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), node.textContent.trim()]);
  }
  return found;
})()
"""

# Elements whose content is wider than they are, but for those that scroll or are for hearing only.
OVERFLOWING = """
[...document.querySelectorAll('main td, main th, caption, p, h1, h2, h3, li')]
  .filter(e => e.offsetParent && !e.closest('.scroll'))
  .filter(e => !getComputedStyle(e.closest('thead') || e).clipPath.startsWith('inset'))
  .filter(e => e.scrollWidth > e.clientWidth + 1)
  .map(e => e.textContent.trim())
"""


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Tab]:
    with browser.tab() as opened:
        yield opened


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def complaints(tab: browser.Tab) -> list[dict[str, Any]]:
    kinds = {"Log.entryAdded", "Runtime.exceptionThrown", "Page.javascriptDialogOpening"}
    return [event for event in tab.events if event["method"] in kinds]


def test_hostile_text_is_shown_as_text_and_does_not_run(tab: browser.Tab) -> None:
    """Against the browser's own parser: no element of the text's making, and the text in full."""
    make_page(ODD["hostile"], title=f"T{HOSTILE}")
    tab.open(PAGE)
    assert tab.evaluate("document.scripts.length") == 0
    assert tab.evaluate("document.querySelectorAll('img, iframe, object, [onerror]').length") == 0
    assert tab.evaluate("document.title") == f"T{HOSTILE}: report"
    shown = tab.evaluate("document.body.textContent")
    for mark in "Tabcdefghi":
        assert f"{mark}{HOSTILE}" in shown, mark
    assert complaints(tab) == []


def test_a_script_that_got_in_would_not_run(tab: browser.Tab) -> None:
    """The second defence, by itself: the page's own policy, with a script put past the first."""
    make_page()
    page = PAGE.read_text()
    PAGE.write_text(page.replace("</main>", "<script>document.title = 'ran'</script></main>"))
    tab.open(PAGE)
    assert tab.evaluate("document.scripts.length") == 1
    assert tab.evaluate("document.title") != "ran"


def test_the_page_fetches_nothing_but_itself(tab: browser.Tab) -> None:
    """Against the browser's record of its requests."""
    make_page()
    tab.open(PAGE)
    requests = [event for event in tab.events if event["method"] == "Network.requestWillBeSent"]
    asked = {event["params"]["request"]["url"] for event in requests}
    assert asked == {PAGE.resolve().as_uri()}
    assert tab.evaluate("performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize("width", WIDTHS_PX)
@pytest.mark.parametrize("case", ODD)
def test_no_page_is_wider_than_its_screen(tab: browser.Tab, case: str, width: str) -> None:
    """Against the browser's layout; what scrolls by itself stays inside its own frame."""
    make_page(ODD[case], title="Sentiment" * 12 if case == "long names" else "A title")
    tab.open(PAGE, WIDTHS_PX[width])
    assert tab.evaluate("document.documentElement.scrollWidth") <= WIDTHS_PX[width]
    assert tab.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize("width", WIDTHS_PX)
def test_the_chinese_page_is_no_wider_than_its_screen(tab: browser.Tab, width: str) -> None:
    """Against the browser's layout; lines of Chinese break anywhere, its long names do not."""
    make_page(language="zh")
    tab.open(PAGE, WIDTHS_PX[width])
    assert tab.evaluate("document.documentElement.lang") == "zh-CN"
    assert tab.evaluate("document.documentElement.scrollWidth") <= WIDTHS_PX[width]
    assert tab.evaluate(OVERFLOWING) == []


def test_what_is_folded_on_a_screen_is_printed(tab: browser.Tab) -> None:
    make_page()
    tab.open(PAGE, media="print")
    heights = tab.evaluate(
        "[...document.querySelectorAll('details table, details ul')]"
        ".map(e => e.checkVisibility({contentVisibilityAuto: true}) && e.offsetHeight)"
    )
    assert len(heights) > 5
    assert min(heights) > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("media", ["screen", "print"])
def test_all_text_stands_out_from_its_background(tab: browser.Tab, scheme: str, media: str) -> None:
    """Against WCAG 2.2's 4.5 to 1, for every element that has text."""
    make_page(ODD["three labels"])
    tab.open(PAGE, scheme=scheme, media=media)
    found = tab.evaluate(CONTRASTS)
    assert len(found) > 200
    assert [pair for pair in found if pair[0] < 4.5] == []


def test_dark_and_light_are_not_the_same(tab: browser.Tab) -> None:
    """Or the test of contrast would see one scheme twice."""
    make_page()
    colors = []
    for scheme in ("light", "dark"):
        tab.open(PAGE, scheme=scheme)
        colors.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colors == ["rgb(255, 255, 255)", "rgb(21, 24, 28)"]


def test_text_is_large_enough_on_a_phone(tab: browser.Tab) -> None:
    """Against 11 px, charts' labels included: their letters shrink with the drawing."""
    make_page()
    tab.open(PAGE, WIDTHS_PX["phone"])
    sizes = tab.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.getClientRects().length)"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)"
        " * (e.closest('.chart') ? e.closest('.chart').getScreenCTM().a : 1))"
    )
    assert min(sizes) >= 10.9


def test_on_paper_it_is_black_on_white_without_the_contents(tab: browser.Tab) -> None:
    make_page()
    tab.open(PAGE, scheme="dark", media="print")
    style = "getComputedStyle(document.{}).{}"
    assert tab.evaluate(style.format("body", "backgroundColor")) == "rgb(255, 255, 255)"
    assert tab.evaluate(style.format("body", "color")) == "rgb(0, 0, 0)"
    assert tab.evaluate(style.format("querySelector('nav')", "display")) == "none"


def test_tables_keep_their_meaning_when_laid_out_for_a_phone(tab: browser.Tab) -> None:
    """Against the accessibility tree: rows laid out as blocks are rows all the same."""
    make_page()
    counts = []
    for width in ("desktop", "phone"):
        tab.open(PAGE, WIDTHS_PX[width])
        nodes = tab.send("Accessibility.getFullAXTree")["nodes"]
        said = [node for node in nodes if not node["ignored"] and node.get("name", {}).get("value")]
        roles = [node["role"]["value"] for node in said]
        counts.append({role: roles.count(role) for role in ("table", "rowheader", "cell", "image")})
    assert counts[0] == counts[1]
    assert counts[0]["table"] > 10
    assert counts[0]["image"] > 30


def test_the_verdict_is_what_a_phone_shows_first(tab: browser.Tab) -> None:
    make_page()
    tab.open(PAGE, WIDTHS_PX["phone"])
    top = tab.evaluate("document.querySelector('.sentence').getBoundingClientRect().top")
    assert 0 < top < 400
    assert page_cases.read_page().count('class="verdict ') == 1
