"""Search spaces by name: what a search begins with."""

from collections.abc import Mapping

from raysearch.spec import SearchSpec

__all__ = ["load_space"]


def load_space(space: str, settings: Mapping[str, object] | None = None) -> SearchSpec:
    """Load a search space, with ``settings`` over it.

    Args:
        space: a shipped one's name, such as ``emohrnet``, or the path of a YAML file.
        settings: dotted key to value, such as ``{"search.trials": 20, "corpus.name": "emodb"}``;
            a searched field that is set is fixed.

    Returns:
        Everything that a search is told; ``search`` takes it.

    Raises:
        UnknownNameError: no such space, extractor or model.
        MissingPathError: no such file.
        ConfigError: a key or value that is refused.
    """
    return SearchSpec.load(space, list((settings or {}).items()))
