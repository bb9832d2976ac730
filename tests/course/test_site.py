"""The site, built as `make site` does and opened from the disk in a real browser: whole, alone, open to everyone."""

import re
import subprocess
import sys
from pathlib import Path

import browser
import pytest

from lecturekit import files
from lecturekit.course import lessons
from lecturekit.show import evidence

pytest.importorskip("sphinx", reason="needs requirements-site.lock")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
LOOKED_AT = ("index", "lessons/04_saliency", "lessons/08_style", "evidence", "teaching", "api/attribution", "search")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "html"
    subprocess.run([sys.executable, ROOT / "docs/site/build.py", folder], check=True)   # a warning is a failure
    return folder


def test_has_a_page_for_each_lesson_with_its_downloads(site):
    for path in lessons.paths().values():
        page = (site / f"lessons/{path.stem}.html").read_text()
        offered = re.findall(r'href="\.\./(files/[^"]+)"', page)
        assert len(offered) == 4 and all((site / name).stat().st_size > 10_000 for name in offered)
        assert "BEGIN SOLUTION" not in (site / f"files/{path.stem}-exercises.ipynb").read_text()


def test_tells_each_finding_with_its_nulls(site):
    page = (site / "evidence.html").read_text()
    told = [evidence.load(name) for name in evidence.names()]
    assert all(f"{found.name}. " in page for found in told)
    assert page.count("(null)") == sum(row.null for found in told for row in found.rows)


def test_the_front_page_is_the_gallery(site):
    pictures = sorted(path.name for path in (files.root() / "gallery").glob("*.jpg"))
    assert sorted(set(re.findall(r'src="gallery/([^"]+)"', (site / "index.html").read_text()))) == pictures
    assert all((site / "gallery" / name).is_file() for name in pictures)


def test_every_page_opens_with_no_request_outside_and_no_error(site, program):
    pages = sorted(site.glob("*.html")) + sorted(site.glob("lessons/*.html")) + sorted(site.glob("api/*.html"))
    with browser.opened(program("chromium", "chromium-browser", "google-chrome")) as page:
        for path in pages:
            page.goto(path.as_uri())
            assert page.locator("img:not([alt])").count() == 0
            assert page.locator(".math").count() <= page.locator(".katex").count()
            assert not page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).length")
        assert len(pages) > 20 and browser.outside(page, site.as_uri()) == [] and page.failed == []


def test_search_finds_a_word_of_a_lesson(site, program):
    with browser.opened(program("chromium", "chromium-browser", "google-chrome")) as page:
        page.goto((site / "search.html").as_uri() + "?q=occlusion")
        page.wait_for_selector("#search-results li")
        assert page.locator("#search-results a[href*='03_occlusion']").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_against_wcag_aa(site, program, scheme):
    with browser.opened(program("chromium", "chromium-browser", "google-chrome")) as page:
        page.emulate_media(color_scheme=scheme)
        for name in LOOKED_AT:
            page.goto((site / f"{name}.html").as_uri())
            assert (name, browser.against_wcag_aa(page)) == (name, [])
