"""The page as one HTML file: the document, the scripts that draw it, and nothing from elsewhere."""

import base64
import gzip
import html
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from string import Template

from raysearch.page.comparison import Comparison
from raysearch.page.document import Live, RunDocument, to_json

__all__ = ["packed", "page_html"]

# In the order in which they need each other. ECharts, as its makers ship it: it draws parallel
# coordinates that can be brushed, heat maps and timelines in one file of 1.1 MB, as SVG that scales
# and prints; Plotly's and Vega's files are larger or lack one of them, uPlot lacks all three.
_SCRIPTS = (
    *("third_party/echarts.min.js", "dom.js", "figures.js", "headline.js", "search.js"),
    *("trials.js", "model.js", "answers.js", "data.js", "compare.js", "steer.js", "main.js"),
)


def page_html(
    documents: Sequence[RunDocument],
    comparison: Comparison | None = None,
    live: Live | None = None,
    only: str | None = None,
) -> str:
    """Write the page.

    Args:
        documents: the runs; the first one is shown first.
        comparison: of several.
        live: how the page is served; None for one that stands alone.
        only: the one figure that is drawn, by its name on the page; None for all of them.
    """
    names = " and ".join(one.headline.name for one in documents)
    return Template(_asset("page.html")).substitute(
        title=html.escape(f"{names} - raysearch"),
        style=_asset("page.css"),
        document=to_json(documents, comparison, live, only),
        scripts="\n".join(_asset(name) for name in _SCRIPTS),
    )


def packed(page: str) -> str:
    """Return a page that unpacks ``page`` in the browser: a third of its size, for a notebook."""
    # The same text for the same page, which tools that compare notebooks like.
    squeezed = gzip.compress(page.encode(), mtime=0)
    return Template(_asset("packed.html")).substitute(
        packed=base64.b64encode(squeezed).decode("ascii")
    )


@cache
def _asset(name: str) -> str:
    found = files("raysearch.page").joinpath("assets")
    for part in name.split("/"):
        found = found.joinpath(part)
    return found.read_text(encoding="utf-8")
