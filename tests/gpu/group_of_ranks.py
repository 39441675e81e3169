"""Ranks in processes of their own, on one GPU; each writes what it found as JSON.

    python group_of_ranks.py WHAT BACKEND RANK RANKS FOLDER DEVICE

WHAT is ``alone`` (the collectives of a group of one, and a trial behind the data-parallel wrapper),
``together`` (a trial of all ranks) or ``sum`` (one all_reduce).
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "unit")]
TIMEOUT = timedelta(seconds=60)
# The last batch of 13 rows leaves the second rank one row less; batches of 1 leave it none.
SHARES = [("lstm", 1, 3), ("encoder_probe", 5, 13), ("cnn", 1, 3)]


def sums(device):
    """An all_reduce of one tensor."""
    import torch
    import torch.distributed as dist

    values = torch.ones(3, device=device)
    dist.all_reduce(values)
    return values.tolist()


def alone(device):
    """What the training floor asks of a group, and a trial with and without the wrapper."""
    import torch.distributed as dist
    from random_streams import learner_of, losses

    from raysearch.training.distributed import wrap

    words = [None]
    dist.all_gather_object(words, {"rank": 0})
    wrapped = learner_of("lstm", device)
    wrapped._fit._network = wrap(wrapped.model, 2, device)  # as for two, whatever there are
    return {
        "sum": sums(device),
        "words": words,
        "wrapped": losses(wrapped),
        "bare": losses(learner_of("lstm", device)),
    }


def together(device, rank, world_size):
    """Losses of a trial of ``world_size`` ranks, uneven and empty shares among them."""
    from random_streams import SMALL, RandomStreams, learner_of, losses

    found = []
    for name, batch_size, rows in SHARES:
        data = RandomStreams(SMALL[name][1], rows, 4, batch_size, rank, world_size)
        place = {"rank": rank, "world_size": world_size, "batch_size": batch_size}
        found.append(losses(learner_of(name, device, data=data, **place), 2))
    return found


def main():
    """Join the group, find out, write."""
    what, backend, rank, ranks, folder, device_name = sys.argv[1:]
    import torch
    import torch.distributed as dist

    from raysearch.workers.faults import fault_of

    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    device, torch.backends.cudnn.allow_tf32 = torch.device(device_name), False
    torch.set_num_threads(1)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    meeting = {"init_method": f"file://{folder}/{what}-{backend}", "timeout": TIMEOUT}
    try:
        if int(ranks) > 1 or what != "together":
            dist.init_process_group(backend, rank=int(rank), world_size=int(ranks), **meeting)
        ways = {"sum": lambda: sums(device), "alone": lambda: alone(device)}
        ways["together"] = lambda: together(device, int(rank), int(ranks))
        answer = {"found": ways[what]()}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}", "fault": fault_of(error)}
    name = f"{what}-{backend}-{ranks}-{rank}.json"
    Path(folder, name).write_text(json.dumps(answer))
    os._exit(0)  # a communicator that failed may wait for the others at its end


if __name__ == "__main__":
    main()
