"""A search's specification: every section put together and validated as a whole."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raysearch.config.base import ConfigT, Places, build, did_you_mean
from raysearch.config.dotted_keys import flat, with_current_keys
from raysearch.config.identity import stable_hash
from raysearch.config.loader import dump_yaml, read_yaml
from raysearch.config.overrides import apply_overrides
from raysearch.config.published import PublishedConfig
from raysearch.config.search import SearchConfig
from raysearch.config.shipped_spaces import find_space
from raysearch.config.space import Space, parse_space
from raysearch.corpora.corpus_table import CorpusConfig
from raysearch.corpora.pretrain_section import PretrainConfig
from raysearch.errors import ConfigError
from raysearch.protocols.splits import ProtocolConfig
from raysearch.spec_checks import OF_DIMENSIONS, check_spec, searchable
from raysearch.trial_config import TrialConfig, section_of

if TYPE_CHECKING:
    from raysearch.config.distributions import Suggester
    from raysearch.models.base import ModelConfig
    from raysearch.training.training_sections import TrainingConfig

__all__ = [
    "RESUMABLE_KEYS",
    "SearchSpec",
    "TrialConfig",
    "own_values",
    "published_values",
    "trial_identity",
]


# What may differ between a run and its resumption: paths, budgets, and how the machine is used.
# None of it is part of a trial's identity.
RESUMABLE_KEYS = frozenset(
    {
        "corpus.data",
        "pretrain.data",
        "search.checkpoint_every_s",
        "search.core_budget",
        "search.cpus_per_worker",
        "search.epoch_budget",
        "search.final",
        "search.final_seeds",
        "search.fusion",
        "search.max_attempts",
        "search.paused_disk_gib",
        "search.priority",
        "search.share",
        "search.slots",
        "search.stream_disk_gib",
        "search.tier",
        "search.time_budget",
        "search.trials",
    }
)

_SECTIONS = (
    *("name", "corpus", "protocol", "pretrain"),
    *("features", "waveform_augment", "spec_augment", "model", "training"),
    *("search", "space", "published"),
)


@dataclasses.dataclass(frozen=True)
class SearchSpec:
    """Everything that a search is told; one that exists is valid.

    Attributes:
        base: the sections of a trial as written: what one runs where nothing is searched.
        remarks: lines for the user about how it was written, such as a key's former name.
    """

    name: str
    corpus: CorpusConfig
    protocol: ProtocolConfig
    pretrain: PretrainConfig
    base: TrialConfig
    search: SearchConfig
    space: Space
    published: PublishedConfig
    remarks: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    @classmethod
    def load(cls, space: str, overrides: Sequence[tuple[str, Any] | str] = ()) -> "SearchSpec":
        """The shipped space of that name, or the file at that path, with ``overrides`` over it.

        Raises:
            UnknownNameError: no such space, extractor or model.
            MissingPathError: no such file.
            ConfigError: a key or value that is refused, with its file and line.
        """
        path = find_space(space)
        read, places = read_yaml(path)
        data = with_current_keys(read, places)
        apply_overrides(data, places, overrides)
        return cls.from_dict({"name": path.stem, **data}, places=places)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, places: Places | None = None) -> "SearchSpec":
        """From plain data, as ``to_dict`` gives it. Raises as ``load`` does."""
        places = places or Places()
        data = with_current_keys(data, places)
        for key in data:
            if key not in _SECTIONS:
                hint = did_you_mean(key, _SECTIONS)
                raise ConfigError(f"{places.of(key)}: unknown section {key!r}{hint}")
        name = data.get("name")
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{places.of('name')}: 'name' is {name!r}: a word is expected")
        base = TrialConfig.from_dict(data, places=places)

        def section(kind: type[ConfigT], key: str) -> ConfigT:
            return build(kind, section_of(data, key, places), prefix=key, places=places)

        if base.training.by_dimensions:
            asked = section_of(data, "search", places)
            data = {**data, "search": {"objective": OF_DIMENSIONS, **asked}}
        space = parse_space(data.get("space"), _lookup(base, places), places=places)
        spec = cls(
            name=name,
            corpus=section(CorpusConfig, "corpus"),
            protocol=section(ProtocolConfig, "protocol"),
            pretrain=section(PretrainConfig, "pretrain"),
            base=base,
            search=section(SearchConfig, "search"),
            space=space,
            published=section(PublishedConfig, "published"),
            remarks=tuple(places.remarks),
        )
        check_spec(spec, places)
        return spec

    @property
    def model(self) -> "ModelConfig":
        """The architecture, as written."""
        return self.base.model

    @property
    def training(self) -> "TrainingConfig":
        """How a trial learns, as written."""
        return self.base.training

    @property
    def variant(self) -> str:
        """What is otherwise than in the published system, as far as its inputs go; or empty."""
        found = [stream.variant() for stream in self.base.used_features.values()]
        return "; ".join(text for text in found if text and self.published.title)

    def resolve(self, values: Mapping[str, Any]) -> TrialConfig:
        """The trial that the dotted ``values`` stand for; raises ConfigError if refused."""
        return self.base.replace(values, places=Places(f"trial of {self.name}"))

    def sample(self, trial: "Suggester") -> dict[str, object]:
        """Ask ``trial`` for a value of every searched field that applies."""
        return dict(self.space.sample(trial))

    def to_dict(self) -> dict[str, Any]:
        """Plain data from which ``from_dict`` makes an equal spec."""
        return {
            "name": self.name,
            "corpus": self.corpus.model_dump(mode="json"),
            "protocol": self.protocol.model_dump(mode="json"),
            "pretrain": self.pretrain.model_dump(mode="json"),
            **self.base.to_dict(),
            "search": self.search.model_dump(mode="json"),
            "space": self.space.to_dict(),
            "published": self.published.model_dump(mode="json"),
        }

    def to_yaml(self) -> str:
        """A file that ``load`` reads back equal."""
        return dump_yaml(self.to_dict())

    def differences(self, other: "SearchSpec") -> list[str]:
        """What keeps ``other`` from resuming this search, as ``"key: old -> new"``."""
        old, new = flat(self.to_dict()), flat(other.to_dict())
        return [
            f"{key}: {old.get(key, 'absent')} -> {new.get(key, 'absent')}"
            for key in sorted({*old, *new} - RESUMABLE_KEYS)
            if old.get(key, "absent") != new.get(key, "absent") and not _is_only_shown(key)
        ]


def _is_only_shown(key: str) -> bool:
    """Whether it is of what a paper printed, or its source, which no trial knows."""
    section, _, rest = key.partition(".")
    return section == "published" and not (rest.startswith("settings.") and rest.endswith(".value"))


def published_values(spec: SearchSpec) -> dict[str, object]:
    """The published settings that a rerun applies; its epochs stay those of the search."""
    return dict(spec.published.values())


def own_values(spec: SearchSpec) -> dict[str, object]:
    """What the sections say of the fields that are searched and apply."""
    fields, values = spec.base.fields(), dict[str, object]()
    for field in spec.space.fields:
        if spec.space.parameter(field, values):
            values[field] = fields[field]
    return values


def trial_identity(
    config: TrialConfig, split_identity: Mapping[str, Any], workers: int | str, seed: int
) -> str:
    """12 hex digits that name a trial by what determines its outcome, and nothing else.

    Args:
        config: the resolved settings.
        split_identity: ``Split.identity()``: fold, labels and rows of training and validation.
        workers: requested training processes (BatchNorm sees a process's share), or their range.
        seed: the search's seed.
    """
    content = {"config": config.identity(), "split": dict(split_identity)}
    return stable_hash({**content, "workers": workers, "seed": seed})


def _lookup(base: TrialConfig, places: Places) -> Callable[[str, str], Any]:
    values, fields = base.fields(), searchable(base)

    def lookup(field: str, key: str) -> Any:
        # A condition may name any field; only some can be searched.
        if field in fields or (field in values and ".when." in key):
            return values[field]
        hint = ": it cannot be searched" if field in values else did_you_mean(field, fields)
        raise ConfigError(f"{places.of(key)}: {key!r}: no field {field!r} to search{hint}")

    return lookup
