"""Text that tries other ways out than a script tag: a real browser shows it, and runs nothing."""

from collections.abc import Iterator
from pathlib import Path

import browser
import page_cases
import pytest

pytestmark = pytest.mark.skipif(browser.PATH is None, reason="no chromium here")
RUN = "document.title='ran'"
WAYS = {
    "a link that runs": f'<a href="javascript:{RUN}">x</a>',
    "a link in Markdown": f"[x](javascript:{RUN})",
    "the end of a style": f"</style><script>{RUN}</script>",
    "the end of the head": f"</title></head><body onload={RUN}>",
    "a template": "{{ 7 * 7 }}{% raw %}{# x #}${7*7}",
    "a drawing": f"<svg onload={RUN}><use href='data:image/svg+xml,x'/></svg>",
    "the end of an attribute": f'" onmouseover="{RUN}" x=\'',
    "a comment": "--><!--[if x]><!]]>",
    "a base": '<base href="http://127.0.0.1:9/"><meta http-equiv=refresh content=0>',
}


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Tab]:
    with browser.tab() as opened:
        yield opened


@pytest.mark.parametrize("way", WAYS)
def test_hostile_text_is_text(
    tab: browser.Tab, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the browser's parser: the text in full, and no element or request of its making."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page_cases, "HOSTILE", WAYS[way])
    page_cases.make_page(page_cases.ODD["hostile"], title=f"T{WAYS[way]}")
    tab.open(Path("build/report/index.html"))
    assert tab.evaluate("document.title") == f"T{WAYS[way]}: report"
    links = 'a[href^="javascript"], [onload], [onmouseover], base, meta[http-equiv=refresh]'
    assert tab.evaluate(f"document.querySelectorAll('{links}').length") == 0
    assert tab.evaluate("document.scripts.length") == 0
    assert f"a{WAYS[way]}" in tab.evaluate("document.body.textContent")
    requests = [event for event in tab.events if event["method"] == "Network.requestWillBeSent"]
    assert len(requests) == 1
