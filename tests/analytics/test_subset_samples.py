"""Subsets of the shipped records: AFLOW with MP, and what the h-BN series teaches."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from similar_lakes import fingerprint, put_fingerprints

from analytics.fingerprints.grid import REFERENCE
from analytics.fingerprints.histogram import dos_counts
from analytics.fingerprints.profiles import Profiles
from analytics.queries import run_query
from analytics.subsets.compare import verify
from analytics.subsets.curate import curate
from analytics.subsets.recipe import Learn, Recipe
from analytics.subsets.saved import stored_members
from lake.ingest.run import ingest
from lake.settings import load_settings
from lake.store.lake import Lake

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("subset-samples")]
SAMPLES = Path(__file__).parents[2] / "samples"
ENERGY = ("formation_energy_ev_per_atom",)


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """All samples, with the fingerprints of the h-BN series."""
    lake = Lake.open(str(tmp_path_factory.mktemp("samples") / "lake"), load_settings(workers=2))
    for source in ("aflow", "mp", "nomad"):
        ingest(lake, source, saved=[str(SAMPLES / source)])
    rows = lake.read("dos", where="source = 'nomad'")
    counts, starts, stops = dos_counts(Profiles.of_table(rows), REFERENCE)
    return put_fingerprints(lake, [
        fingerprint(one, counts[n], start_interval=int(starts[n]), stop_interval=int(stops[n]))
        for n, one in enumerate(rows["calculation_id"].to_pylist())
    ])


def test_a_pbe_subset_of_aflow_and_mp(sampled: Lake) -> None:
    recipe = Recipe("pbe", functional="pbe", sources=("aflow", "mp"), complete=ENERGY)
    subset = curate(sampled, recipe)
    with sampled.connect() as connection:
        expected = connection.execute(
            "select source, count(*) from calculation_traits where source in ('aflow', 'mp') "
            "and coalesce(energy_functional, 'pbe') = 'pbe' and coalesce(gap_functional, 'pbe') = 'pbe' "
            "and deprecated is not true and reduced_key is not null and formation_energy_ev_per_atom is not null "
            "group by source"
        ).fetchall()
    assert subset.counts_by_source == dict(expected)
    # The offset between the two is the one that the named query tells.
    (asked,) = run_query(sampled, "energy_offsets", {
        "key_kind": "reduced_key", "require_band_gap": "false",
    }).to_pylist()
    after = next(e for e in subset.gain["between"]
                 if (e["stage"], e["quantity"]) == ("after", "formation_energy_ev_per_atom"))
    assert after["n_materials"] == asked["n_materials"]
    assert after["median"] == pytest.approx(asked["median_ev_per_atom"], abs=1e-12)
    assert after["median_low"] == pytest.approx(asked["median_low_ev_per_atom"], abs=1e-12)
    assert verify(sampled, "pbe").holds


def test_one_per_material_is_one_per_material(sampled: Lake) -> None:
    subset = curate(sampled, Recipe("one", functional="pbe", sources=("aflow", "mp"), complete=ENERGY, members="one"))
    keys = stored_members(sampled, "one", subset.version)["material_key"]
    assert len(keys.unique()) == len(keys) == subset.n_materials


def test_what_the_series_of_h_bn_teaches(sampled: Lake) -> None:
    subset = curate(sampled, Recipe("hbn", learn=Learn()))
    learned = subset.funnel["learned"]
    assert learned["n_calculations"] == 111
    assert learned["rule"] == "cutoff of at least 350 eV and k-point density of at least 26.6 Å"
    trial = learned["trial"]
    assert trial["left_out"] == "combinations of settings"
    assert trial["precision"] > 0.9 > 0.2 > trial["share_without"]
    members = stored_members(sampled, "hbn", subset.version)
    assert members.filter(pa.compute.field("source") == "nomad").num_rows == 12
    # Gaps of the same material come nearer to each other.
    same = {e["stage"]: e for e in subset.gain["within_same_materials"] if e["quantity"] == "band_gap_ev"}
    assert same["after"]["median_range"] < 0.5 * same["before"]["median_range"]


def test_aflow_on_the_level_of_mp(sampled: Lake) -> None:
    subset = curate(sampled, Recipe(
        "level", functional="pbe", sources=("aflow", "mp"), complete=ENERGY, correct="mp", correct_at_least=1,
    ))
    (fit,) = subset.funnel["correction"]["fits"]
    assert fit["n_moved"] + fit["n_not_moved"] == 224
    assert fit["mae_after_cross_validated_ev_per_atom"] < 0.5 * fit["mae_before_ev_per_atom"]
    members = stored_members(sampled, "level", subset.version)
    stored = {row["calculation_id"]: row for row in members.to_pylist()}
    raw = sampled.read("calculations", ["calculation_id", *ENERGY], where="source in ('aflow', 'mp')").to_pylist()
    for row in raw:
        member = stored.get(row["calculation_id"])
        if member:
            correction = member["formation_energy_correction_ev_per_atom"]
            assert (correction is None) == row["calculation_id"].startswith("mp/")
            assert member["formation_energy_ev_per_atom"] == row["formation_energy_ev_per_atom"] + (correction or 0)
