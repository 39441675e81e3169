"""``raysearch corpus``: what a corpus holds, what was dropped, and whether its folds leak."""

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from raysearch.cli.inspection_options import CorpusOptions
from raysearch.cli.options import Setting
from raysearch.cli.terminal import heading, plain_console
from raysearch.config.base import build
from raysearch.corpora.corpus_table import CorpusConfig
from raysearch.corpora.reasons import UNUSABLE, commonest, counted
from raysearch.corpora.spelling import spelling_notes
from raysearch.corpora.utterance import DIMENSIONS, Corpus, Dropped, Utterance
from raysearch.errors import EmptyCorpusError
from raysearch.features.audio import AudioError, read_audio
from raysearch.protocols.audit import Audit, audit
from raysearch.protocols.folds import outer_folds
from raysearch.protocols.splits import ProtocolConfig, Split, make_split
from raysearch.reporting.sentences import print_sentence
from raysearch.storage.corpora import read_corpus

__all__ = ["describe"]


def describe(options: CorpusOptions) -> int:
    """Carry the verb out."""
    corpus_config = build(CorpusConfig, _section(options.settings, "corpus"), prefix="corpus")
    protocol = build(ProtocolConfig, _section(options.settings, "protocol"), prefix="protocol")
    console = plain_console(quiet=options.json)
    corpus = _without_unusable(read_corpus(corpus_config, options.storage), console)
    num_folds = len(outer_folds(corpus, protocol))
    wanted = [protocol.fold] if options.one_fold else range(num_folds)
    splits = [make_split(corpus, protocol.model_copy(update={"fold": k})) for k in wanted]
    audits = [audit(split) for split in splits]
    if options.json:
        print(json.dumps(_facts(corpus, splits, audits), indent=2))
    else:
        _show(console, corpus, splits, audits)
    for verdict in audits:
        verdict.check()
    return 0


def _section(settings: Sequence[Setting], name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {k.removeprefix(prefix): v for k, v in settings if k.startswith(prefix)}


def _without_unusable(corpus: Corpus, console: Console) -> Corpus:
    """Decode every file, as featurization will, and move what cannot be used to the dropped."""
    with ThreadPoolExecutor() as executor:
        reasons = list(
            track(
                executor.map(_unusable, corpus.utterances),
                description="reading audio",
                total=len(corpus.utterances),
                console=console,
                transient=True,
            )
        )
    pairs = list(zip(corpus.utterances, reasons, strict=True))
    kept = tuple(utterance for utterance, reason in pairs if reason is None)
    bad = tuple(Dropped(u.path, f"{UNUSABLE}{reason}") for u, reason in pairs if reason)
    if not kept:
        raise EmptyCorpusError(
            f"{corpus.root}: none of {len(pairs)} utterances can be used: {commonest(bad)}"
        )
    return replace(corpus, utterances=kept, dropped=corpus.dropped + bad)


def _unusable(utterance: Utterance) -> str | None:
    try:
        read_audio(utterance.path, utterance.sample_rate or 16_000)
    except AudioError as error:
        return error.reason
    return None


def _facts(corpus: Corpus, splits: list[Split], audits: list[Audit]) -> dict[str, Any]:
    reasons = {kind: count for kind, count, _ in counted(corpus.dropped)}
    return {
        "corpus": corpus.name,
        "root": corpus.root,
        "num_utterances": len(corpus.utterances),
        "num_speakers": len(corpus.speakers),
        "corpora": dict(sorted(Counter(u.corpus for u in corpus.utterances).items())),
        "emotions": dict(sorted(Counter(u.emotion for u in corpus.utterances).items())),
        "hours": sum(u.duration_s or 0.0 for u in corpus.utterances) / 3600,
        "sample_rates": _rates(corpus),
        "votes": _votes(corpus),
        "dimensions": _dimensions(corpus),
        "spelling": spelling_notes(corpus),
        "dropped": {
            "count": len(corpus.dropped),
            "reasons": reasons,
            "files": [{"path": d.path, "reason": d.reason} for d in corpus.dropped],
        },
        "folds": [_fold(split) for split in splits],
        "audit": {
            "verdict": max((a.verdict for a in audits), key=["clean", "optimistic", "leak"].index),
            "folds": [a.to_dict() for a in audits],
        },
    }


def _votes(corpus: Corpus) -> dict[str, float] | None:
    """How many utterances have votes, how many each, and the mean share that its label has."""
    voted = [row for row in corpus.utterances if row.votes]
    if not voted:
        return None
    sums = [sum(number for _, number in row.votes) for row in voted]
    own = [dict(row.votes).get(row.emotion, 0.0) for row in voted]
    shares = [part / total for part, total in zip(own, sums, strict=True)]
    return {
        "num_utterances": len(voted),
        "mean_number": statistics.fmean(sums),
        "mean_share_of_label": statistics.fmean(shares),
    }


def _dimensions(corpus: Corpus) -> dict[str, dict[str, float]]:
    """Each dimension that recordings are rated on: of how many, and what range they have."""
    found: dict[str, dict[str, float]] = {}
    for name in DIMENSIONS:
        rated = [
            value for row in corpus.utterances if (value := dict(row.ratings).get(name)) is not None
        ]
        if rated:
            found[name] = {
                "num_utterances": len(rated),
                "min": min(rated),
                "mean": statistics.fmean(rated),
                "max": max(rated),
            }
    return found


def _rates(corpus: Corpus) -> dict[str, int]:
    return {str(rate): n for rate, n in Counter(u.sample_rate for u in corpus.utterances).items()}


def _fold(split: Split) -> dict[str, Any]:
    sides = {
        name: {"num_utterances": len(rows), "speakers": sorted({row.speaker for row in rows})}
        for name, rows in split.sides()
    }
    return {
        "fold": split.fold,
        "protocol": split.protocol,
        **sides,
        "num_left_out": len(split.left_out),
        "notes": list(split.notes),
    }


def _show(console: Console, corpus: Corpus, splits: list[Split], audits: list[Audit]) -> None:
    facts = _facts(corpus, splits, audits)
    heading(console, corpus.name, corpus.root)
    rates = ", ".join(f"{n} at {rate} Hz" for rate, n in facts["sample_rates"].items())
    console.print(
        f"{facts['num_utterances']} utterances, {facts['num_speakers']} speakers, "
        f"{facts['hours']:.2f} hours; {rates}",
        highlight=False,
    )
    counts = ", ".join(f"{name} {n}" for name, n in facts["emotions"].items())
    console.print(f"emotions: {counts}", highlight=False)
    if votes := facts["votes"]:
        console.print(
            f"votes: {votes['num_utterances']} utterances have {votes['mean_number']:.1f} on "
            f"average, {votes['mean_share_of_label']:.0%} of them for the label",
            highlight=False,
        )
    for name, of in facts["dimensions"].items():
        console.print(
            f"{name}: {of['num_utterances']} utterances rated from {of['min']:.2f} to "
            f"{of['max']:.2f}, {of['mean']:.2f} on average",
            highlight=False,
        )
    if len(facts["corpora"]) > 1:
        parts = ", ".join(f"{name} {n}" for name, n in facts["corpora"].items())
        console.print(f"corpora: {parts}", highlight=False)
    if corpus.dropped:
        console.print(f"dropped {len(corpus.dropped)} files:", highlight=False)
        for kind, count, example in counted(corpus.dropped):
            print_sentence(console, f"  {count} x {kind}, as {example.path}")
    for line in spelling_notes(corpus):
        print_sentence(console, line)
    sides = ["train", "validation", "test"]
    if any(split.left_out for split in splits):
        sides.append("left out")
    table = Table("fold", *sides, "test speakers", "audit", box=None)
    for split, verdict in zip(splits, audits, strict=True):
        speakers = sorted({row.speaker for row in split.test})
        shown = ", ".join(speakers[:6]) + (" ..." if len(speakers) > 6 else "")
        sizes = Counter(row["split"] for row in split.rows())
        table.add_row(
            str(split.fold), *(str(sizes[side]) for side in sides), shown, verdict.verdict
        )
    console.print(table)
    lines = Counter(line for verdict in audits for line in verdict.lines()[1:])
    for line, count in list(lines.items())[:12]:
        suffix = f" ({count} folds)" if count > 1 else ""
        print_sentence(console, f"  {line}{suffix}")
