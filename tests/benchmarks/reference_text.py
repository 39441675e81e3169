"""The words and the Markdown of the reference table."""

from collections.abc import Sequence
from typing import Any

__all__ = ["HEADS", "markdown"]

Piece = dict[str, Any]

HEADS = {
    "emodb": """# EMO-DB: every system, equal budgets, speaker-independent

The recordings are a copy of EMO-DB resampled to 22,050 Hz and cut or padded to 2.0 s: figures are
not comparable to the literature's, and length leaks a little (122 of 535 files end in more than
20 ms of padding: fear 42%, sadness 5%). Five outer folds of two speakers.

For scale, measured earlier on the same copy and kind of folds: a plain timm ResNet10 on 64-mel log
spectrograms, SpecAugment, 25 epochs, one fixed setting, last epoch: 71.6% UA, 72.5% WA (about 215 s
of two cores a fold).""",
    "nemo": """# nEMO, a part: every system, equal budgets, speaker-independent

1,057 of the 4,481 recordings of nEMO (acted Polish, nine speakers, six emotions; CC BY-NC-SA 4.0):
figures on a part are not comparable to the whole corpus'. Five outer folds of one or two speakers.
""",
}

METHOD = """Nested: the search is repeated inside each outer fold, its settings and its final model
chosen by inner validation; the predictions of all folds are pooled. The budget of a fold is 8
core-minutes (240 s of two cores) from the first trial to the final model, and the same for every
system. The interval is a t over folds (statistics.md); where a star stands, it is an earlier
version's bootstrap of speakers, which is too narrow.
*Best trial* is the search's winner as it was trained in the search, *own settings* the space's own,
trained alike; *gain* is what the final model has above them, its mean over folds and each fold's.
Own settings were found by inner validation on training speakers of these corpora, every one of whom
is a test speaker of some fold: at the level of recipes the figures are not blind to the corpus."""

TRANSDUCTIVE = """## Transductive: each speaker normalised by their own unlabelled recordings

Not to be ranked with the figures above: a test speaker's other recordings are used, unlabelled."""

# Figures of version 0.1.0's first table, kept to measure by: single nets of six speakers, chosen by
# one validation set, and other own settings.
BEFORE = {
    "emodb": {
        "cnn": 68.8,
        "emohrnet": 67.9,
        "resnet34": 62.4,
        "svm": 59.9,
        "cnn1d_attention": 58.1,
        "lstm": 41.9,
    },
}

# What a reader must know of one measurement.
_BUSY = (
    "Measured while tests ran on the same two cores: on idle ones more trials fit into a budget."
)
_PROMOTED = "Searched with pausing and promotion, the default since the rows without this note."
_LONGER = (
    "The other seeds of bags had all the epochs that the settings plan, an earlier version's rule:"
    " they were trained for longer than the search's own."
)
_BEFORE_SHARES = (
    "The partner's share was still chosen by a log-loss at the temperatures that the nets come"
    " with, which gave a weaker partner up to 0.8; the table above shows the model without it."
)
NOTES = {
    ("emodb", "ssl"): f"Whisper tiny.en, frozen. {_BUSY} {_BEFORE_SHARES}",
    ("emodb", "cnn"): _BUSY,
    ("emodb", "lstm"): _BUSY,
    ("emodb", "svm"): _BUSY,
    ("emodb", "cnn1d_attention"): _BUSY,
    ("emodb", "emohrnet"): f"{_PROMOTED} In four of five folds the space's own settings stayed"
    " ahead of the 9 to 13 trials beside them, none of which went further than half its epochs."
    " What is gained on them the refit with several seeds and the partner give: without the"
    " partner 68.8.",
    ("emodb", "mfhca"): f"Whisper tiny.en in HuBERT's place, a variant. {_PROMOTED} {_BUSY}"
    " No trial came to its end: pieces of two to four made the ensembles of four folds, and a"
    " quarter of the budget, kept for a refit, was not used. The fifth fold's bag was retrained"
    f" with two other seeds, beside which the ensembles count as they are. {_LONGER}",
    ("emodb", "resnet34"): f"{_PROMOTED} {_BUSY} Three or four trials began a fold, none ended,"
    " and the space's own settings were the best in all five: what is gained on them the final"
    f" models and the partner give. {_LONGER}",
    ("nemo", "ssl"): f"Whisper tiny.en, frozen. {_BUSY} Linear probes of the same statistics on the"
    " same folds, fitted by hand with one fixed penalty: a logistic regression has 59.8% UA on all"
    " four layers side by side, 59.2 on the second and 51.6 on the last; a linear SVM 57.2, 57.1"
    " and 49.4. Which speakers share a fold counts for as much: with other pairs of them the"
    " regression on all layers has 63.3. Copies of the training rows at 0.88 and 1.13 times the"
    " speed, and taking the speakers' directions out of the statistics, were no gain (-1.0 to +0.4"
    " by hand); where copies of the test rows at 0.85 and 1.15 times the speed are predicted, too,"
    " the regression has 61.8 on all layers, and 59.2 and 60.1 on the second and third. Nor is more"
    " in the frames for it: means alone have 60.1, 10th and 90th percentiles beside mean and"
    " deviation 60.6, the mean size of the frames' differences 58.9, the second and third layer"
    " together 60.5. Nor did tuning the encoder, as far as the budget goes: on one fold's training"
    " speakers, two of them held out, its first two layers or the second alone learned for three to"
    " five epochs (15 to 21 s each) from that probe on, without dropout, at rates of 1e-5 to 1e-4,"
    " and recall, 54.8% before, was 52.8 to 54.8 after. What all of these share is the"
    " encoder, a tiny one that learned English alone.",
    ("nemo", "emohrnet"): f"{_PROMOTED} {_BUSY} Four to six trials began a fold and at most one"
    " ended, and the space's own settings were the best in all five: on so much data the budget"
    " tells nothing apart. The refit gained 24 points in one fold and lost 16 in another, whose"
    " final model took 580 s of wall instead of 80 while other work had most of the cores.",
    ("nemo", "resnet34"): "Two or three trials of 6 to 10 epochs a fold, none of which ended: the"
    " net is too large for the budget. All the same the final model is better than the space's own"
    f" settings in every fold, by what pieces of several trainings know together. {_LONGER}",
    ("nemo", "mfhca"): "Whisper tiny.en in HuBERT's place, a variant. The budget of a fold is one"
    " or two epochs of three trials, where a whole trial takes 27 core-minutes: without its partner"
    " the network is near chance (19.2%), and the row is the partner's on functionals. More compute"
    " would tell what it is worth here, not other settings. Other work took about a minute of one"
    " core beside these searches.",
    ("nemo", "lstm"): _BUSY,
    ("nemo", "cnn1d_attention"): _BUSY,
    ("nemo", "cnn"): f"{_BUSY} Three trials began, of which one ended: on so much data eight"
    " core-minutes buy little more than the space's own settings, and the pieces of the others'"
    " training that the final model of three folds was made of did not help.",
}

COLUMNS = (
    "system",
    "UA % (trainings)",
    "before",
    "95% interval",
    "WA %",
    "UA % by fold",
    "best trial UA %",
    "own settings UA %",
    "gain",
    "final models",
    "MiB; ms an utterance",
    "trials a fold",
)


def markdown(
    corpus: str, pieces: Sequence[Piece], peers: Sequence[Piece], absent: Sequence[str]
) -> str:
    """The page: inductive figures, plain scripts' and transductive ones, then each in detail."""
    before = BEFORE.get(corpus, {})
    ordered = sorted(pieces, key=lambda piece: -piece["nested"]["ua"]["mean"])
    inductive = [piece for piece in ordered if not piece["transductive"]]
    transductive = [piece for piece in ordered if piece["transductive"]]
    lines = [
        HEADS[corpus].rstrip(),
        "",
        METHOD,
        "",
        *_table(COLUMNS, [_row(piece, before) for piece in inductive]),
    ]
    if peers:
        lines += ["", PEERS, "", *_table(PEER_COLUMNS, _peer_rows(peers)), "", *_commands(peers)]
    if transductive:
        rows = [_row(piece, {}) for piece in transductive]
        lines += ["", TRANSDUCTIVE, "", *_table(COLUMNS, rows)]
    lines += ["", "## What else the same trials give", "", OTHERS, ""]
    lines += _table(OTHER_COLUMNS, [row for piece in ordered for row in _others(piece)])
    if absent:
        shown = [f"{n} (before: {before[n]:.1f})" if n in before else n for n in absent]
        lines += ["", f"Not measured yet: {', '.join(shown)}."]
    for piece in ordered:
        lines += ["", *_details(piece, NOTES.get((corpus, piece["name"])))]
    return "\n".join(lines) + "\n"


PEERS = """## What a plain script has on the same folds

No search and no validation: one fixed setting each, trained on all rows of the training speakers
(`tests/benchmarks/plain_peers.py`). The network is timm's ResNet10; the probes are a logistic
regression and a linear SVM on the mean and deviation over time of Whisper tiny.en's layers."""

PEER_COLUMNS = ("script", "UA %", "WA %", "UA % by fold", "core-seconds a fold")


def _peer_rows(peers: Sequence[Piece]) -> list[list[str]]:
    return [
        [
            peer["name"],
            _percent(peer["ua"]),
            _percent(peer["wa"]),
            " ".join(f"{100 * value:.0f}" for value in peer["ua_by_fold"]),
            f"{min(peer['core_seconds_by_fold'])} to {max(peer['core_seconds_by_fold'])}",
        ]
        for peer in sorted(peers, key=lambda peer: -peer["ua"])
    ]


def _commands(peers: Sequence[Piece]) -> list[str]:
    return ["```", *sorted({peer["command"] for peer in peers}), "```"]


OTHERS = """Pooled test UA of what needs no further training: the best trial's net (single), its
inner folds' nets (bag), the greedy ensemble, and the final model without its partner on
functionals. They use no more compute than the final model."""

OTHER_COLUMNS = ("system", "model", "UA %", "WA %", "macro-F1 %", "UA % by fold")


def _others(piece: Piece) -> list[list[str]]:
    nested = piece["nested"]
    rows = [[piece["name"], "**final**", *_scores(nested, "mean"), _folds(nested)]]
    for name, part in nested["parts"].items():
        rows.append([piece["name"], name, *_scores(part, None), _folds(part)])
    return rows


def _scores(figures: dict[str, Any], key: str | None) -> list[str]:
    names = ("ua", "wa", "macro_f1")
    return [_percent(figures[name][key] if key else figures[name]) for name in names]


def _row(piece: Piece, before: dict[str, float]) -> list[str]:
    nested, folds = piece["nested"], piece["folds"]
    seeds = [_percent(value) for value in nested["ua"]["per_seed"]]
    bounds = nested["ua"]["interval"]
    star = "" if nested.get("interval_method") else " *"
    parts = nested["parts"]
    own = parts.get("own settings")
    gains = [100 * value for _, value in sorted(own["gain_by_fold"].items())] if own else []
    mean = sum(gains) / len(gains) if gains else 0.0
    by_fold = " ".join(f"{gain:+.0f}" for gain in gains)
    trials = [one["num_trials"] for one in folds]
    cost = nested["cost"]
    single = parts.get("single", {}).get("ua", nested["ua"]["mean"])
    return [
        piece["name"],
        f"**{_percent(nested['ua']['mean'])}**" + (f" ({', '.join(seeds)})" if seeds[1:] else ""),
        f"{before[piece['name']]:.1f}" if piece["name"] in before else "",
        f"{_percent(bounds[0])} to {_percent(bounds[1])}{star}" if bounds else "",
        _percent(nested["wa"]["mean"]),
        _folds(nested),
        _percent(single),
        _percent(own["ua"]) if own else "",
        f"{mean:+.1f} ({by_fold})" if gains else "",
        ", ".join(dict.fromkeys(nested["final"])) + f", {cost['nets']} net(s)",
        f"{cost['mebibytes']:.1f}; {cost['ms_per_utterance']:.1f}",
        f"{min(trials)} to {max(trials)}",
    ]


def _details(piece: Piece, note: str | None) -> list[str]:
    """A system's seconds, winners and commands."""
    head = (
        "fold",
        "trials",
        "completed",
        "epochs",
        "search s",
        "whole s",
        "value %",
        "final model",
    )
    rows = []
    for one in piece["folds"]:
        own = " (own settings)" if one["own"] else ""
        rows.append(
            [
                str(one["fold"]),
                str(one["num_trials"]),
                str(one["num_completed"]),
                str(one["num_epochs"]),
                f"{one['search_s']:.0f}",
                f"{one['whole_s']:.0f}",
                _percent(one["value"]),
                f"{one['final']}; best trial {one['number']:04d}{own}",
            ]
        )
    lines = [f"## {piece['name']}", "", *([note, ""] if note else []), *_table(head, rows)]
    if piece.get("paper"):
        valid = "" if piece["paper"].get("valid", True) else " (invalid: test rows chose the epoch)"
        lines += [
            "",
            f"The paper's own split: {_percent(piece['paper']['ua']['mean'])}% UA{valid}.",
        ]
    return [*lines, "", "```", *(" ".join(words) for words in piece["commands"]), "```"]


def _folds(figures: dict[str, Any]) -> str:
    return " ".join(f"{100 * value:.0f}" for _, value in sorted(figures["per_fold_ua"].items()))


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _table(head: Sequence[str], rows: Any) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]
