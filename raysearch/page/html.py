"""The page as one HTML file: the document, the scripts that draw it, and nothing from elsewhere."""

import html
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from string import Template

from raysearch.page.comparison import Comparison
from raysearch.page.document import Live, RunDocument, to_json

__all__ = ["page_html"]

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
) -> str:
    """Write the page.

    Args:
        documents: the runs; the first one is shown first.
        comparison: of several.
        live: how the page is served; None for one that stands alone.
    """
    names = " and ".join(one.headline.name for one in documents)
    return Template(_asset("page.html")).substitute(
        title=html.escape(f"{names} - raysearch"),
        style=_asset("page.css"),
        document=to_json(documents, comparison, live),
        scripts="\n".join(_asset(name) for name in _SCRIPTS),
    )


@cache
def _asset(name: str) -> str:
    found = files("raysearch.page").joinpath("assets")
    for part in name.split("/"):
        found = found.joinpath(part)
    return found.read_text(encoding="utf-8")
