"""How figures, and words that come from outside, are written in tables, cards and lines."""

from raysearch.config.metric_table import metric_of

__all__ = ["age", "cell", "counted", "figure", "metric_name", "one_line", "size"]


def metric_name(metric: str) -> str:
    """Name the metric as a column's heading."""
    return metric_of(metric).heading


def figure(metric: str, value: float | None) -> str:
    """Write ``value`` for a reader: scores in percent, a loss as a number, none as a dash."""
    return "-" if value is None else metric_of(metric).text(value)


def one_line(text: object) -> str:
    """Return ``text`` without line breaks, escape sequences and what UTF-8 cannot hold.

    Reasons and paths are whatever a library or a file system gave.
    """

    def mended(letter: str) -> str:
        return " " if letter.isspace() else "?"

    words = str(text)
    if words.isprintable():
        return words
    return "".join(a if a.isprintable() else mended(a) for a in words)


def counted(number: int, word: str) -> str:
    """Write so many of what ``word`` names, whose plural has an s: ``1 epoch``, ``2 epochs``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def cell(text: object) -> str:
    """Return ``text`` so that in a Markdown table no cell or tag begins or ends in it."""
    escaped = one_line(text).replace("\\", "\\\\").replace("|", "\\|")
    return escaped.replace("<", "&lt;")


def age(seconds: float) -> str:
    """Write how long ago something was, in its largest unit: ``5 min``."""
    for unit, length, most in (("s", 1, 60), ("min", 60, 60), ("h", 3600, 48)):
        if seconds < length * most:
            return f"{max(seconds, 0) / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def size(num_bytes: int) -> str:
    """Write a number of bytes: ``5.1 MiB``."""
    if num_bytes < 1024:
        return f"{num_bytes} B"
    power = next((n for n in (1, 2, 3) if num_bytes < 1000 << 10 * n), 4)
    amount = num_bytes / (1 << 10 * power)
    return f"{amount:.{1 if amount < 10 else 0}f} {'KMGT'[power - 1]}iB"
