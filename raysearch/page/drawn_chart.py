"""One figure of a run's page by itself: in a notebook, or as a file."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

from raysearch.errors import UserError
from raysearch.files import write_text
from raysearch.page.html import packed

__all__ = ["Chart"]


@dataclass(frozen=True, slots=True, repr=False)
class Chart:
    """One figure. A notebook shows it; ``save`` writes it as a page that opens offline.

    It shows what the run was when it was drawn.

    Attributes:
        title: what it shows, of which run.
        page: the figure as a page; empty if there is nothing to draw.
        missing: why there is nothing to draw; empty if there is.
        height: in a notebook, in pixels.
    """

    title: str
    page: str
    missing: str
    height: int

    def __repr__(self) -> str:
        """Say in one line what it shows, or why it shows nothing."""
        return f"Chart({self._line})"

    def _repr_html_(self) -> str:
        """As a notebook shows it: in a frame that reaches neither the notebook nor the network."""
        if self.missing:
            return f"<p>{escape(self._line)}</p>"
        return (
            f'<iframe title="{escape(self.title)}" srcdoc="{escape(packed(self.page))}"'
            f' sandbox="allow-scripts" width="100%" height="{self.height}" style="border:0">'
            "</iframe>"
        )

    def save(self, path: str | Path) -> Path:
        """Write it as an HTML file, and return the file's path.

        Raises:
            UserError: there is nothing to draw, or the name is that of another kind of file.
        """
        path = Path(path)
        if self.missing:
            raise UserError(self._line)
        if path.suffix not in (".html", ".htm"):
            raise UserError(f"{path}: a chart is saved as HTML: {path.with_suffix('.html')}")
        write_text(path, self.page)
        return path

    @property
    def _line(self) -> str:
        return f"{self.title}: {self.missing}" if self.missing else self.title
