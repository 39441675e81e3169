"""Slots whose workers train nothing: made-up scores, real ledgers, real checkpoint folders."""

import json
import math
from pathlib import Path

from raysearch.config.identity import stable_hash
from raysearch.ledger import TERMINAL, read
from raysearch.spec import SearchSpec
from raysearch.storage.publication import Publication
from raysearch.storage.two_kinds import storage_of
from raysearch.trial_config import TrialConfig
from raysearch.tuning.budgets import unread
from raysearch.tuning.conductor import Conductor
from raysearch.tuning.problem import SpecProblem
from raysearch.tuning.study import Study, num_startup_trials
from raysearch.workers.epoch_report import EpochReport

CHECKPOINT_BYTES = 1 << 20
SPACE = SearchSpec.load("emohrnet-gpu").space.fields
SEARCHED = ("training.learning_rate", "model.dropout", "training.label_smoothing")


def small_spec(keep=("training.learning_rate", "model.dropout"), **settings):
    """The shipped space with only the fields ``keep`` searched; ``__`` stands for a dot."""
    settings = {
        "training.epochs": 4,
        "search.trials": 6,
        "search.objective": "val_uar",
        "search.scheduler": "asha",
        **({} if "training.warmup_epochs" in keep else {"training.warmup_epochs": 0}),
        "search.grace_epochs": 1,
        "search.defaults_first": False,
        "search.priors": False,  # the scores are made up
        **{key.replace("__", "."): value for key, value in settings.items()},
    }
    dropped = [(f"space.{field}", None) for field in SPACE if field not in keep]
    # So few that a search proposes some of them twice.
    widths = [("space.model.width", {"choice": [8, 12, 16]})] if "model.width" in keep else []
    return SearchSpec.load("emohrnet-gpu", [*dropped, *widths, *settings.items()])


def pausing_spec(fields=SEARCHED, **settings):
    """Settings of a search whose trials pause, at rungs of 1 and 2 epochs of 4."""
    settings = {"search__trials": 9, "search__published_first": False, **settings}
    return small_spec(fields, search__scheduler="promote", **settings)


def problem_of(spec, common=None):
    """What the conductor sees of ``spec``, whose data nobody opens."""
    return SpecProblem(spec, {"fold": 0}, lambda config: None, common)


def score(config, epoch):
    """A learning curve that the settings decide alone; the published ones are not the best."""
    distance = abs(math.log(config["training"]["learning_rate"] / 4e-4))
    good = 1 / (1 + distance + abs(config["model"]["dropout"] - 0.2))
    # Not of the plain config: a setting that is added later must not change every curve.
    luck = int(stable_hash([TrialConfig.from_dict(config).identity(), epoch], 4), 16) / 0xFFFF
    return 0.8 * good * (1 - 0.5**epoch) + 0.2 * luck


def never(config, epoch):
    """No settings fail."""


def nowhere(folder):
    """Checkpoints stay where they are."""


class FakeWorker:
    """Carries one task out, an epoch a step, from its checkpoint on."""

    def __init__(self, task, checkpoint_every, fails, curve, send):
        self.task, self.checkpoint_every = task, checkpoint_every
        self.fails, self.curve, self.send = fails, curve, send
        self.epoch, self.values, self.let_go = 0, [], False
        if task.resume:
            state = json.loads((Path(task.resume) / "state.json").read_text())
            assert state["trial"] == task.trial
            self.epoch, self.values = state["epoch"], state["values"]

    def step(self):
        config, epochs = self.task.config, self.task.config["training"]["epochs"]
        number, attempt = self.task.number, self.task.attempt
        if self.let_go:
            published = self.publish() if self.epoch % self.checkpoint_every else {}
            return EpochReport(number, attempt=attempt, done=True, **published)
        if self.epoch < epochs:
            if reason := self.fails(config, self.epoch + 1):
                return EpochReport(number, attempt=attempt, failed=reason, done=True)
            self.epoch += 1
            self.values.append(self.curve(config, self.epoch))
        done = self.epoch == epochs
        due = done or self.epoch % self.checkpoint_every == 0
        return EpochReport(
            number,
            attempt=attempt,
            epoch=self.epoch,
            value=max(self.values),
            metrics={"val_uar": self.values[-1], "val_loss": 1 - self.values[-1]},
            train_s=0.5,
            done=done,
            **(self.publish() if due else {}),
        )

    def publish(self):
        name = f"epoch-{self.epoch:04d}-attempt-{self.task.attempt}"
        folder = Path(self.task.folder) / name
        folder.mkdir(parents=True)
        state = {"trial": self.task.trial, "epoch": self.epoch, "values": self.values}
        (folder / "state.json").write_text(json.dumps(state))
        self.send(folder)
        return {
            "checkpoint": str(folder),
            "checkpoint_epoch": self.epoch,
            "checkpoint_bytes": CHECKPOINT_BYTES,
        }


class FakeSlots:
    """The slots of a pool, each with at most one worker.

    Args:
        num_slots: how many.
        checkpoint_every: epochs between checkpoints; there is one at a trial's end in any case.
        fails: settings and an epoch to why it fails.
        curve: settings and an epoch to the score.
        send: takes each checkpoint that is published.
    """

    def __init__(self, num_slots=1, checkpoint_every=1, fails=never, curve=score, send=nowhere):
        self.send = send
        self.num_slots, self.checkpoint_every = num_slots, checkpoint_every
        self.fails, self.curve = fails, curve
        self.busy, self.lost, self.dead, self.workers = set(), set(), set(), {}
        self.rested, self.most_rests = [], None

    def free(self):
        return [s for s in range(self.num_slots) if s not in self.busy | self.lost]

    def num_open(self):
        return self.num_slots - len(self.lost)

    def num_up(self):
        return self.num_open()

    def claim(self, avoid=frozenset()):
        free = [slot for slot in self.free() if slot not in avoid]
        if not free:
            return None
        self.busy.add(free[0])
        return free[0]

    def alive(self, slot):
        return slot not in self.dead

    def release(self, slot):
        self.busy.remove(slot)

    def rest(self, slot, reason):
        if self.rested.count(slot) == self.most_rests:
            return self.lose(slot, reason)
        self.busy.remove(slot)
        self.rested.append(slot)
        return True

    def lose(self, slot, reason):
        self.busy.discard(slot)
        self.lost.add(slot)
        return self.num_open() > 0

    def let_go(self, slot, number):
        worker = self.workers[slot]
        assert worker.task.number == number
        worker.let_go = True

    def start(self, assignment):
        self.workers[assignment.slot] = FakeWorker(
            assignment.task, self.checkpoint_every, self.fails, self.curve, self.send
        )


class FakeSearch:
    """A conductor on slots, and the loop that Tune is to it.

    Args:
        folder: the run's; what lies there is taken up.
        spec: the search.
        fence: rises with each search in one folder.
        observers: watch the conductor.
        noise: of the validation sets.
        common: what all trials have but the published settings.
        say: takes a line for the user.
        until: ends this part of the search.
        commands: what somebody asks for meanwhile.
        tell: takes what is spent.
    """

    def __init__(
        self,
        folder,
        spec,
        *,
        fence=1,
        observers=(),
        study_name="run",
        noise=None,
        common=None,
        say=lambda line: None,
        until=None,
        commands=tuple,
        tell=unread,
        **slots,
    ):
        self.folder, self.spec = folder, spec
        folder.mkdir(parents=True, exist_ok=True)
        self.slots = FakeSlots(**slots)
        self.ledger = storage_of(folder).ledger(folder, fence)
        self.study = Study(
            folder / "study.journal",
            study_name,
            spec.space,
            seed=spec.search.seed,
            num_startup=num_startup_trials(spec.search.trials),
            priors=spec.search.priors,
        )
        self.conductor = Conductor(
            problem_of(spec, common),
            folder,
            self.ledger,
            self.slots,
            self.study,
            publication=Publication(str(folder), fence),
            slot_cpus=1,
            noise=noise,
            observers=observers,
            say=say,
            until=until,
            commands=commands,
            tell=tell,
        )
        self.assigned = []

    def fill(self):
        """Give each free slot a trial."""
        while assignment := self.conductor.next_trial():
            self.assigned.append(assignment)
            self.slots.start(assignment)

    def step(self, slot):
        """One epoch on ``slot``; the report and whether its trial stops."""
        report = self.slots.workers[slot].step()
        return report, self.take(slot, report)

    def take(self, slot, report):
        """What the conductor says of a report; a trial that is let go tells its last at once."""
        stops = self.conductor.take(report)
        if not stops and self.slots.workers[slot].let_go:
            stops = self.conductor.take(self.slots.workers[slot].step())
        if stops:
            del self.slots.workers[slot]
        return stops

    def run(self):
        """Until nothing runs and nothing is proposed, and the ledger is written."""
        self.train()
        self.ledger.close()
        return self

    def train(self):
        self.fill()
        while self.slots.workers:
            for slot in sorted(self.slots.workers):
                self.step(slot)
            self.fill()

    @property
    def trials(self):
        return self.conductor.trials

    def events(self, *kinds):
        return [e for e in read(self.folder / "trials.jsonl") if not kinds or e.event in kinds]

    def ends(self):
        """Number to terminal events."""
        ends = {}
        for event in self.events(*TERMINAL):
            ends.setdefault(event.number, []).append(event.event)
        return ends

    def outcome(self):
        return {
            n: (r.trial, r.config, r.status, r.best_epoch, r.best_value)
            for n, r in self.trials.records.items()
        }

    def checkpoints(self):
        paths = self.folder.glob("checkpoints/*/*")
        return sorted(str(path.relative_to(self.folder)) for path in paths)
