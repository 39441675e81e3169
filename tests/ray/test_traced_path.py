"""How many classes and functions a trial's order and its reports go through, in a real search."""

import pytest
from traced_search import traced_search

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

# A count that comes down takes its ceiling with it.
CEILINGS = {"classes on the path of a trial": 20, "functions on the path of an epoch": 28}


@pytest.fixture(scope="module")
def trace():
    return traced_search()


@pytest.mark.parametrize("name", CEILINGS)
def test_the_path_grows_no_longer(trace, name):
    assert 0 < trace.counts()[name] <= CEILINGS[name], "\n".join(trace.lines())


def test_the_path_leads_from_the_conductor_to_the_rank_and_back(trace):
    on_path = {name for names in trace.classes.path.values() for name in names}
    assert on_path >= {
        "raysearch.tuning.conductor.Conductor",
        "raysearch.tuning.trial_proxy.TrialProxy",
        "raysearch.workers.host.WorkerGroupHost",
        "raysearch.workers.trial_session.TrialSession",
        "raysearch.tuning.chronicle.Chronicle",
    }
    for process, names in trace.functions.work.items():
        assert names >= trace.functions.path[process] > frozenset(), process
