"""The page at ``/``: one document, which loads nothing and asks nobody but its own server."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

__all__ = ["Page", "read_page"]


@dataclass(frozen=True, slots=True)
class Page:
    """The document, and the headers that hold it to what it is meant to do."""

    html: str
    headers: Mapping[str, str]


def read_page() -> Page:
    """The page, its style and its script in one."""
    html, style, script = (_text(f"page.{kind}") for kind in ("html", "css", "js"))
    policy = {
        "default-src": "'none'",
        "style-src": _hash(style),
        # The microphone's samples are collected by a worklet, which a page makes from a blob.
        "script-src": f"{_hash(script)} blob:",
        "connect-src": "'self'",
        "media-src": "blob:",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return Page(
        html.replace("{style}", style).replace("{script}", script),
        {
            "Content-Security-Policy": "; ".join(" ".join(one) for one in policy.items()),
            "Permissions-Policy": "microphone=(self)",
            "Referrer-Policy": "no-referrer",
        },
    )


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
