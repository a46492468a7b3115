"""The page in a real browser, without a network: what a reader can see and do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]
WIDTHS_PX = (400, 1400)


class Opened:
    """A page, and what it did that it should not have."""

    def __init__(self, page: Any, path: Path) -> None:
        self.page, self.wrong, self.requests = page, [], []
        page.on("console", lambda message: self.wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())

    def _dismiss(self, dialog: Any) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def column(self, number: int) -> list[str]:
        """The texts of a column of the ablation table, of the rows that are shown."""
        cells = f"#ablation tbody tr:not([hidden]) > :nth-child({number})"
        return [text.strip() for text in self.page.locator(cells).all_inner_texts()]


@pytest.fixture(scope="module")
def opened(reported: Any) -> Iterator[Opened]:
    """The report of a made study, opened once from the disk."""
    browser_path = next(filter(None, map(shutil.which, NAMES)), None)
    if browser_path is None:
        pytest.skip(f"NO BROWSER: none of {', '.join(NAMES)} is installed, the page is unchecked")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=QUIET)
        page = browser.new_context(offline=True).new_page()
        yield Opened(page, reported.results / "report.html")
        browser.close()


def test_it_opens_without_an_error_and_without_a_network(opened: Opened) -> None:
    assert opened.wrong == []
    asked = [url for url in opened.requests if not url.startswith("data:")]
    assert len(asked) == 1
    assert asked[0].startswith("file:")
    blocked = "() => fetch('https://example.org').then(() => 'reached', () => 'blocked')"
    assert opened.page.evaluate(blocked) == "blocked"
    opened.wrong.clear()  # the attempt is reported


def test_a_name_is_text_and_no_script(opened: Opened) -> None:
    assert "<script>alert(1)</script>" in opened.page.locator("#answer").inner_text()
    assert opened.page.locator("script").count() == 1


def test_every_figure_loads_and_says_what_is_to_be_seen(opened: Opened) -> None:
    images = opened.page.evaluate(
        "() => [...document.images].map((i) => [i.naturalWidth, i.alt,"
        " i.closest('figure').querySelector('figcaption').textContent])"
    )
    assert len(images) > 15
    for width, alt, caption in images:
        assert width > 300
        assert len(alt) > 40
        assert alt not in caption


def test_no_caption_is_heard_twice(opened: Opened) -> None:
    """A region around a table is not named by the caption that is read with the table."""
    named = opened.page.evaluate(
        "() => [...document.querySelectorAll('.scroll')].map((e) => [e.ariaLabel,"
        " e.querySelector('caption')?.textContent ?? ''])"
    )
    assert len(named) > 5
    assert all(label and label not in caption.split(".") for label, caption in named)


def test_on_a_phone_figures_keep_their_size_and_captions_wrap(opened: Opened) -> None:
    opened.page.set_viewport_size({"width": 400, "height": 900})
    sizes = opened.page.evaluate(
        "() => [...document.querySelectorAll('figure')].filter((f) => f.checkVisibility()).map((f)"
        " => [f.querySelector('img').width, +f.querySelector('img').getAttribute('width'),"
        " f.querySelector('figcaption').getBoundingClientRect().right])"
    )
    assert len(sizes) > 5
    assert all(shown == wanted and right <= 400 for shown, wanted, right in sizes)
    wide = opened.page.evaluate(
        "() => [...document.querySelectorAll('caption span')].filter((e) => e.checkVisibility())"
        ".map((e) => e.getBoundingClientRect().width)"
    )
    assert max(wide) <= 400
    opened.page.set_viewport_size({"width": 1400, "height": 900})


def test_the_table_sorts_by_numbers_both_ways(opened: Opened) -> None:
    """Changes of -5.5, -5, -1 and +10 %; the baseline has none and stays last."""
    header = opened.page.locator("#ablation th[scope=col]").nth(2)
    button = header.get_by_role("button", name="change of RMSE")
    button.click()
    assert header.get_attribute("aria-sort") == "ascending"
    rising = ["physics_raster", "physics_mask", "elevation_only", "climax", "wind_baseline"]
    assert opened.column(1) == rising
    button.click()
    assert header.get_attribute("aria-sort") == "descending"
    assert opened.column(1) == [*rising[3::-1], "wind_baseline"]
    opened.page.locator("#ablation th[scope=col] button").first.click()
    assert header.get_attribute("aria-sort") == "none"
    assert opened.column(1) == sorted(rising)


def test_the_table_filters(opened: Opened) -> None:
    field = opened.page.get_by_label("Show rows with")
    field.fill("False HELPS")  # wind_modulation: false
    assert opened.column(1) == ["elevation_only"]
    assert "1 of 5 rows" in opened.page.locator("#ablation output").inner_text()
    field.fill("")
    assert len(opened.column(1)) == 5


@pytest.mark.parametrize("width", WIDTHS_PX)
def test_nothing_hangs_over_the_edge(opened: Opened, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 900})
    opened.page.evaluate("() => document.querySelectorAll('details').forEach((d) => d.open = true)")
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= width
    opened.page.evaluate(
        "() => document.querySelectorAll('details').forEach((d) => d.open = false)"
    )


def style_of(opened: Opened, selector: str, name: str) -> str:
    """A computed style of the first element that a selector finds."""
    return opened.page.locator(selector).first.evaluate(f"(e) => getComputedStyle(e).{name}")


def contrast(opened: Opened, selector: str) -> float:
    """WCAG 2.2's ratio of a text's luminance to that of the page behind it."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return sum(w * x for w, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    ink, paper = style_of(opened, selector, "color"), style_of(opened, "html", "backgroundColor")
    levels = sorted([luminance(ink), luminance(paper)])
    return (levels[1] + 0.05) / (levels[0] + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(opened: Opened, scheme: str) -> None:
    opened.page.emulate_media(color_scheme=scheme)
    paper = style_of(opened, "html", "backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    for selector in ("main p", "figcaption", "#ablation td", "a", "summary", ".answers"):
        assert contrast(opened, selector) >= 4.5, selector
    opened.page.emulate_media(color_scheme="light")


def test_printed_it_shows_what_is_folded_and_no_controls(opened: Opened) -> None:
    inside = opened.page.locator("details img").first
    assert not inside.evaluate("(e) => e.checkVisibility({ contentVisibilityAuto: true })")
    opened.page.emulate_media(media="print", color_scheme="dark")
    assert inside.evaluate("(e) => e.checkVisibility({ contentVisibilityAuto: true })")
    assert inside.evaluate("(e) => e.getBoundingClientRect().height") > 100
    assert not opened.page.locator(".filter").is_visible()
    assert style_of(opened, "html", "backgroundColor") == "rgb(255, 255, 255)"
    assert opened.page.pdf()[:5] == b"%PDF-"
    opened.page.emulate_media(media="screen", color_scheme="light")


def test_the_keyboard_alone_reaches_and_works_everything(opened: Opened) -> None:
    """Tab passes every link, button, field and fold, each with a visible outline."""
    page = opened.page
    page.reload()
    expected = page.evaluate(
        "() => [...document.querySelectorAll(\"a[href], button, input, summary, [tabindex='0']\")]"
        ".filter((e) => e.checkVisibility()).length"
    )
    seen = []
    for _ in range(expected):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "() => { const e = document.activeElement; const s = getComputedStyle(e);"
                " e.dataset.seen = 'yes'; return [e.textContent.slice(0, 40), s.outlineStyle,"
                " parseFloat(s.outlineWidth)]; }"
            )
        )
    assert seen[0][0] == "Skip to the answer"
    assert all(style == "solid" and width >= 2 for _, style, width in seen), seen
    assert page.locator("[data-seen]").count() == expected
    page.locator("#ablation th button").nth(5).focus()
    page.keyboard.press("Enter")
    assert page.locator("#ablation th").nth(5).get_attribute("aria-sort") == "ascending"
    fold = page.locator("details").first
    fold.locator("summary").focus()
    page.keyboard.press("Space")
    assert fold.get_attribute("open") is not None
