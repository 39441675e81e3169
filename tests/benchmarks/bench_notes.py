"""Why targets are missed, as far as it was found, and what was tried: a text for each row."""

__all__ = ["NOTES"]

NOTES = {
    "cold_start": """\
Where the time goes, by a timeline of all processes: the driver's imports, of which torch is a third
and Ray a quarter; Ray's own processes, which start one after the other; then, in a chain, Ray
Train's controller, the worker (half of its CPU time is torch) and Tune's process for the trial. On
two cores nearly all of it is CPU time. Done so far: no process imports what it does not need
(tests/unit/test_light_processes.py), Ray Train's coordinator and torch's compiler are started
beside others, and imports are not collected (an eighth of their time). The seconds are those of
a slow hour: an hour in which the documented way took half as long gave 15.6 s for a search and
21.6 s for the demo, of an earlier commit.""",
    "turnover": """\
A trial that begins is a message from the driver to Tune's process for it, to the slot's host and to
the worker, and back; the bare loop begins in the process that trains. The driver takes its part
of the second core, and memory bandwidth with it.""",
    "two_slots": """\
Two processes by hand have both cores for training. Beside two slots the driver, Tune's process for
each trial and Ray's own processes need theirs.""",
    "epochs": """\
The tiny network's batches are trained within a few milliseconds, beside which normalisation, the
batch's tensors and the metrics of an epoch count.""",
    "featurize": """\
The pipeline also hashes each file, writes a part of 64 files at a time and has its own process for
it, which is in no peer's loop. librosa's loop, here on files of 3 s that need no resampling, is
as fast as torchaudio's. faster-whisper's encoder is CTranslate2's, ours torch's. Two CPUs do no
more than one: Ray Data's budget lets one task run at a time in an execution's first second, and
then as many as there are CPUs, so that none waits where one has ended; each takes about 0.15 s
to be sent and answered. Without that budget two CPUs had 1.99x and 1.75x of one; but tasks that
wait for every CPU keep it from the worker groups that are starting, so that was not kept. Nor did
four or eight parts a task help. Ray Data waits up to a tenth of a second for its tasks; asked to
look every 20 ms, and for its budget as often, one CPU did 1.3 times as much, two did 1.3 and 1.0
times as much (medians of three runs each), and the stream tier, whose workers have the same cores,
two thirds as much (one pair): that is not kept either.""",
    "train_step": """\
ssl's step is a layer on frozen statistics, a millisecond in all: of the difference, two thirds are
the batch's normalisation, which the plain loop has done beforehand. Why EmoHRNet is slower than
timm's network of as many parameters was not looked for: its branches and exchanges are others.""",
    "stream": """\
Every few megabytes are a task of Ray Data, which takes about 0.15 s to be sent and answered, and
its budget, which bounds what waits in memory, lets one run at a time in a pass' first second.""",
    "growth": """\
Optuna's grouped search space and the search for settings that were tried before walk through all
trials, and the leaderboard sorts them for every checkpoint.""",
}
