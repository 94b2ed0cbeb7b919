"""The public reference as a server of answers: run by a Python that has spectral-fingerprints, and nothing of ours.

A line of JSON on standard input is a question, a line on standard output its answer:
{"grid": {…}, "energies_ev": [[…], …], "states": [[…], …], "pairs": [[i, j], …], "seconds": bool} gives
{"counts": [[…] or null, …], "ranges": [[start, stop] or null, …], "coefficients": [… or null, …]}, where null is what
the reference itself refuses; {"edges": true, "grid": {…}} gives {"edges_ev": […], "heights": […]}. Energies are
relative to the valence-band maximum, coefficients those of the reference on its bits.
"""

import json
import sys
import time
import warnings

from spectral_fingerprints import Grid, SpectralFingerprint


def make_grid(parameters):
    """The reference's grid for the parameters of ours."""
    center = parameters["center_ev"]
    return Grid.create(
        e_ref=center, delta_e_min=parameters["energy_step_ev"], delta_e_max=parameters["largest_energy_step_ev"],
        delta_rho_min=parameters["height_step"], delta_rho_max=parameters["largest_height_step"],
        width=parameters["width_ev"], n_pix=parameters["levels"],
        cutoff=[round(parameters["window_min_ev"] - center, 8), round(parameters["window_max_ev"] - center, 8)],
    )


def counts_of(fingerprint, levels):
    """Ones in every interval; they must come first, or the thermometer code would not be one."""
    bits = fingerprint.get_bitarray().to01()
    rows = [bits[i:i + levels] for i in range(0, len(bits), levels)]
    counts = [row.count("1") for row in rows]
    for row, n in zip(rows, counts, strict=True):
        assert row == "1" * n + "0" * (levels - n), "bits are no thermometer code"
    return counts


def attempt(make):
    """What a call gives, or null where the reference raises."""
    try:
        return make()
    except Exception:
        return None


def answer(question):
    """The answer to one question."""
    grid = make_grid(question["grid"])
    if question.get("edges"):
        edges = grid.grid()
        return {"edges_ev": [float(e) for e, _ in edges], "heights": [float(h[-1]) for _, h in edges]}
    grid.grid()
    start = time.perf_counter()
    made = [
        attempt(lambda e=e, s=s: SpectralFingerprint().calculate(e, s, grid))
        for e, s in zip(question["energies_ev"], question["states"], strict=True)
    ]
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    coefficients = [
        attempt(lambda i=i, j=j: float(made[i].get_similarity(made[j]))) for i, j in question.get("pairs", [])
    ]
    return {
        "counts": [m and counts_of(m, grid.n_pix) for m in made],
        "ranges": [m and [int(i) for i in m.indices] for m in made],
        "coefficients": coefficients, "seconds": seconds, "seconds_pairs": time.perf_counter() - start,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
