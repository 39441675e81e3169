"""Viterbi decoding for transitions of which few are possible, as pYIN's are.

librosa's ``sequence.viterbi`` looks at each pair of states in each frame. Of pYIN's 800 states each
can be reached from 180, so this one, which looks at those, takes a fifth of the time.

Axis letters: S states, T frames, E possible transitions.
"""

import numba
import numpy as np

__all__ = ["viterbi"]


def viterbi(prob: np.ndarray, transition_SS: np.ndarray, *, p_init: np.ndarray) -> np.ndarray:
    """The states that ``librosa.sequence.viterbi`` finds with the same arguments.

    Args:
        prob: float64 (..., S, T): how probable what was observed is in each state.
        transition_SS: how probable each state (second axis) is after each state (first axis).
        p_init: float64 (S,): how probable each state is before the first frame.

    Returns:
        uint16 (..., T): the likeliest sequence of states.
    """
    # An impossible step has the probability that librosa gives it: nobody's path must end.
    tiny = np.finfo(np.float64).tiny
    to_E, from_E = np.nonzero(transition_SS.T)
    start_S = np.searchsorted(to_E, np.arange(len(transition_SS) + 1))
    log_step_E = np.log(transition_SS[from_E, to_E] + tiny)
    log_init_S = np.log(p_init + tiny)
    paths = [
        _likeliest(np.log(prob_ST.T + tiny), start_S, from_E, log_step_E, log_init_S, np.log(tiny))
        for prob_ST in prob.reshape(-1, *prob.shape[-2:])
    ]
    return np.reshape(paths, (*prob.shape[:-2], -1))


@numba.njit(cache=True)
def _likeliest(
    log_prob_TS: np.ndarray,
    start_S: np.ndarray,
    from_E: np.ndarray,
    log_step_E: np.ndarray,
    log_init_S: np.ndarray,
    log_impossible: float,
) -> np.ndarray:
    num_frames, num_states = log_prob_TS.shape
    former_TS = np.zeros((num_frames, num_states), dtype=np.uint16)
    value_S = log_prob_TS[0] + log_init_S
    for t in range(1, num_frames):
        likeliest = np.argmax(value_S)
        next_S = np.empty(num_states)
        for state in range(num_states):
            source, best = likeliest, value_S[likeliest] + log_impossible
            for e in range(start_S[state], start_S[state + 1]):
                value = value_S[from_E[e]] + log_step_E[e]
                if value > best or (value == best and from_E[e] < source):
                    source, best = from_E[e], value
            former_TS[t, state] = source
            next_S[state] = log_prob_TS[t, state] + best
        value_S = next_S
    path_T = np.empty(num_frames, dtype=np.uint16)
    path_T[-1] = np.argmax(value_S)
    for t in range(num_frames - 2, -1, -1):
        path_T[t] = former_TS[t + 1, path_T[t + 1]]
    return path_T
