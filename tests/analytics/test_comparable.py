"""Which densities of states can be compared: one test per reason, and none that raises."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest

from analytics.fingerprints import electrons
from analytics.fingerprints.comparable import Rules, check
from analytics.fingerprints.grid import PAPER, REFERENCE
from analytics.fingerprints.histogram import dos_counts
from analytics.fingerprints.measures import FAULTS, measure
from analytics.fingerprints.profiles import Profiles
from lake.errors import InputError
from lake.sources import find
from lake.sources.base import Context
from lake.sources.batch import Batch

MP = Path(__file__).parent.parent / "data/mp"
ENERGIES = np.linspace(-20, 12, 641)
NAN = float("nan")


def levels(*bands, energies=ENERGIES):
    """Rectangular bands (low, high, electrons)."""
    return sum((electrons / (high - low)) * ((energies > low) & (energies < high)) for low, high, electrons in bands)


SOUND = levels((-18, -16, 2), (-6, 0, 6), (3, 9, 4))


def reason_of(energies, states, grid=REFERENCE, formula=None, rules=None, level="vbm_reported"):
    profiles = Profiles.of_arrays([ENERGIES, energies], [SOUND, states], reference_level=level)
    found = check(profiles, grid, formulas=[None, formula], rules=rules or Rules())
    if level:
        assert found.reasons[0] is None
    reason, message = found.reasons[1], found.messages[1]
    assert (reason is None) == (message is None)
    assert found.good.tolist() == [level is not None, reason is None]
    if reason is None:
        assert dos_counts(found.profiles, grid)[0][1].any()
    return reason


@pytest.mark.parametrize(("energies", "states", "reason"), [
    (ENERGIES, SOUND, None),
    (ENERGIES[::-1], SOUND[::-1], None),
    ([], [], "too_few_points"),
    ([0.0], [1.0], "too_few_points"),
    (np.where(np.arange(641) == 5, NAN, ENERGIES), SOUND, "not_finite"),
    (ENERGIES, np.where(np.arange(641) == 5, np.inf, SOUND), "not_finite"),
    (np.tile(ENERGIES, 2), np.tile(SOUND, 2), "unsorted"),
    (np.repeat(ENERGIES, 2), np.repeat(SOUND, 2), "duplicate_energies"),
    (np.insert(ENERGIES, 9, ENERGIES[9]), np.insert(SOUND, 9, 3), "duplicate_energies"),
    (np.insert(ENERGIES, 9, ENERGIES[9]), np.insert(SOUND, 9, SOUND[9]), None),
    (ENERGIES, SOUND - 0.5, "negative"),
    (ENERGIES, SOUND - 0.01, None),
    (ENERGIES[ENERGIES > -5], SOUND[ENERGIES > -5], "window_not_covered"),
    (ENERGIES[ENERGIES < 4], SOUND[ENERGIES < 4], "window_not_covered"),
    (ENERGIES + 100, SOUND, "window_not_covered"),
    (ENERGIES, SOUND * 0, "empty"),
    (ENERGIES, SOUND * (ENERGIES < -12), "empty"),
    (ENERGIES[::10], SOUND[::10], "too_coarse"),
    ([-1e300, 1e300], [1, 1], "too_coarse"),
    (np.linspace(-30, 30, 10**6), np.ones(10**6), None),
])
def test_every_density_gets_a_result_or_a_reason(energies, states, reason):
    assert reason_of(energies, states) == reason


def test_sorting_gives_back_the_density():
    order = np.random.default_rng(0).permutation(len(ENERGIES))
    found = check(Profiles.of_arrays([ENERGIES, ENERGIES[order]], [SOUND, SOUND[order]]), PAPER)
    assert found.good.all()
    counts = dos_counts(found.profiles, PAPER)[0]
    assert np.array_equal(counts[0], counts[1])


def test_without_a_reference_level_nothing_is_compared():
    assert reason_of(ENERGIES, SOUND, level=None) == "no_reference_level"
    assert reason_of(ENERGIES, SOUND, level="fermi") is None


def test_one_step_may_miss_at_either_end_of_the_window():
    edges = REFERENCE.edges_ev
    for missing, reason in ((0.04, None), (0.06, "window_not_covered")):
        energies = np.arange(edges[0] + missing, 11, 0.05)
        assert reason_of(energies, np.interp(energies, ENERGIES, SOUND)) == reason


def test_a_smaller_coverage_is_allowed_by_a_rule_and_recorded():
    inside = (ENERGIES > -7) & (ENERGIES < 3)
    rules = Rules(minimum_coverage=0.6)
    assert reason_of(ENERGIES[inside], SOUND[inside], rules=rules) is None
    found = check(Profiles.of_arrays([ENERGIES[inside]], [SOUND[inside]]), REFERENCE, rules=rules)
    _, starts, stops = dos_counts(found.profiles, REFERENCE)
    edges = REFERENCE.edges_ev
    assert found.covered_min_ev[0] == pytest.approx(-6.95)
    assert edges[starts[0]] >= -6.95 > edges[starts[0] - 1]
    assert edges[stops[0]] <= 2.95 < edges[stops[0] + 1]
    assert reason_of(ENERGIES[inside], SOUND[inside], rules=Rules(minimum_coverage=0.8)) == "window_not_covered"


def test_a_coarser_mesh_is_allowed_by_a_rule():
    assert reason_of(ENERGIES[::10], SOUND[::10], rules=Rules(largest_step_ev=0.5)) is None


def test_wide_spacing_without_states_is_no_fault():
    states = levels((-6, 0, 6))
    keep = (states > 0) | np.isin(np.arange(641), [0, 640]) | np.roll(states > 0, 1) | np.roll(states > 0, -1)
    assert np.diff(ENERGIES[keep]).max() > 5
    assert reason_of(ENERGIES[keep], states[keep]) is None


@pytest.mark.parametrize(("formula", "scale", "reason"), [
    ("MgO", 1, None), ("MgO", 0.25, "electron_count"), ("MgO", 10, "electron_count"), (None, 10, None),
    ("no formula", 10, None), ("H", 1, "electron_count"),
])
def test_electrons_are_counted(formula, scale, reason):
    # 8 electrons in two atoms: O 2s and 2p
    assert reason_of(ENERGIES, SOUND * scale / 2, formula=formula) == reason


def test_one_spin_channel_is_noticed_where_the_data_hold_all_valence_electrons():
    states = levels((-19, -15, 1), (-10, 0, 3), energies=np.linspace(-26, 12, 761))
    assert reason_of(np.linspace(-26, 12, 761), states, formula="BN") is None
    assert reason_of(np.linspace(-26, 12, 761), states / 2, formula="BN") == "electron_count"


@pytest.mark.parametrize(("formula", "valence"), [
    ("Si", 4), ("BN", 4), ("NaCl", 4), ("MgO", 4), ("Fe", 8), ("ZnO", 9), ("GaAs", 4), ("TiO2", 16 / 3), ("CeO2", 8),
    ("AgCoO2", 8), ("LiF", 4), ("H2O", 8 / 3), ("PbTe", 5), ("LuN", 4), ("Hf", 4), ("Au", 11), ("Xe", 8), ("Sc", 3),
    ("Th", 4), ("UO2", 6),
])
def test_bounds_on_electrons_hold_for_common_valences(formula, valence):
    found = electrons.bounds(formula)
    assert electrons.least_electrons(found, -100) <= valence + 1e-9 <= found[0] + 1e-6
    assert electrons.least_electrons(found, -100) >= electrons.least_electrons(found, -13)
    assert electrons.least_electrons(found, -11) == 0


def mp_rows():
    batch = Batch([
        orjson.loads(gzip.decompress((MP / "dos_spin_polarization_mp-865805.json.gz").read_bytes())),
        *orjson.loads(gzip.decompress((MP / "es_dos_objs.json.gz").read_bytes())),
    ], "dos")
    find("mp").normalise(batch, "dos", Context({}))
    return batch.columns


def test_real_densities_of_a_wrong_scale_are_set_aside():
    columns = mp_rows()
    profiles = Profiles.of_arrays(columns["energies_ev"], columns["states_per_ev_per_atom"])
    made = check(profiles, REFERENCE, formulas=["Co2TaZn", "O2W", "Si"])
    assert made.reasons.tolist() == ["electron_count", "electron_count", None]
    assert "0.66" in made.messages[0]
    assert made.electrons_per_atom[2] == pytest.approx(4, abs=0.1)


def test_rows_record_what_was_measured():
    made = check(Profiles.of_arrays([ENERGIES, [0, 1, 1.5, 4]], [SOUND, [1, 1, 1, 1]]), REFERENCE)
    assert made.covered_min_ev.tolist() == [REFERENCE.edges_ev[0], 0]
    assert made.covered_max_ev.tolist() == [REFERENCE.edges_ev[-1], 4]
    assert made.energy_step_ev == pytest.approx([0.05, 1])
    assert made.electrons_per_atom == pytest.approx([8, 0], abs=0.15)


def test_median_steps_are_numpys():
    rng = np.random.default_rng(4)
    energies = [np.sort(rng.uniform(-20, 20, n)) for n in (2, 3, 4, 5, 50, 51)]
    energies += [np.round(np.linspace(-20, 20, n), 2) for n in (302, 303)]
    found = measure(Profiles.of_arrays(energies, [np.ones(len(e)) for e in energies]), (-10, 5), 0.1)
    assert found.step_ev == pytest.approx([np.median(np.diff(e)) for e in energies], abs=1e-12)
    assert {FAULTS[i] for i in found.fault.tolist()} == {""}


def test_formulas_must_be_as_many_as_densities():
    profiles = Profiles.of_arrays([ENERGIES], [SOUND])
    with pytest.raises(InputError, match="2 formulas for 1 densities"):
        check(profiles, REFERENCE, formulas=["Si", "Si"])
    assert check(profiles, REFERENCE, formulas=pa.array([None], pa.string())).good.all()


def test_impossible_rules_are_refused():
    for wrong in ({"minimum_coverage": 0}, {"minimum_coverage": 1.1}, {"largest_step_ev": -1},
                  {"least_electron_share": NAN}):
        with pytest.raises(InputError, match="Rules"):
            replace(Rules(), **wrong)
