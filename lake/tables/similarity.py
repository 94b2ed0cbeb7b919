"""What similarity is computed from and what comes of it: `grids`, `fingerprints`, `similarities`, `clusters`."""

from __future__ import annotations

from lake.tables.spec import COUNTS, FLAG, FLOAT, INT, LONG, STRING, TIME, Column, Table

GRIDS = Table(
    name="grids",
    description="one declared way to make a fingerprint; fingerprints of two grids are never compared",
    columns=(
        Column("grid_id", STRING, "name of the grid, or its kind and a digest of its parameters", nullable=False),
        Column("kind", STRING, "what it describes: dos, composition or structure", nullable=False),
        Column("description", STRING, "the grid in words"),
        Column("parameters_json", STRING, "everything that makes it again, as JSON", nullable=False),
        Column("n_counts", INT, "counts of a fingerprint", nullable=False),
        Column("levels", INT, "largest value of a count", nullable=False),
    ),
    key=("grid_id",),
    partition_by=(),
    fingerprint="parameters_json",
)

FINGERPRINTS = Table(
    name="fingerprints",
    description="one fingerprint of one calculation, or the reason why there is none",
    columns=(
        Column("calculation_id", STRING, "<source>/<id in that source>", nullable=False),
        Column("grid_id", STRING, "the grid that it was made on", nullable=False),
        Column("source", STRING, "database", nullable=False),
        Column("kind", STRING, "what it describes: dos, composition or structure", nullable=False),
        Column("counts", COUNTS, "thermometer counts by interval; null = set aside, see reason"),
        Column("total", LONG, "sum of the counts"),
        Column("start_interval", INT, "first interval that the data cover"),
        Column("stop_interval", INT, "the one after the last that they cover"),
        Column("reason", STRING, "why it was set aside: no_reference_level, window_not_covered, …; null = comparable"),
        Column("message", STRING, "the reason in words, with the values"),
        Column("reference_level", STRING, "what 0 eV is: vbm_reported, vbm_from_dos, fermi (a metal)"),
        Column("covered_min_ev", FLOAT, "lower end of the data within the window", "eV"),
        Column("covered_max_ev", FLOAT, "upper end of the data within the window", "eV"),
        Column("energy_step_ev", FLOAT, "median spacing of the data", "eV"),
        Column("broadening_ev", FLOAT, "broadening of the data; null = unknown", "eV"),
        Column("spin_polarized", FLAG, "whether two channels were summed"),
        Column("electrons_per_atom", FLOAT, "states from the lower end of the data to 0 eV"),
        Column("input_sha256", STRING, "digest of what it was made from and of the method", nullable=False),
    ),
    key=("grid_id", "calculation_id"),
    partition_by=("grid_id",),
    fingerprint="input_sha256",
)

SIMILARITIES = Table(
    name="similarities",
    description="one pair of calculations at or above a threshold",
    columns=(
        Column("grid_id", STRING, "the grid of both fingerprints", nullable=False),
        Column("left_id", STRING, "calculation_id that comes first in the alphabet", nullable=False),
        Column("right_id", STRING, "calculation_id that comes second", nullable=False),
        Column("similarity", FLOAT, "Tanimoto coefficient of the fingerprints", nullable=False),
        Column("aligned_similarity", FLOAT, "the best one over small shifts of the energies; null = not asked for"),
        Column("aligned_shift_ev", FLOAT, "the shift of right against left that gives it", "eV"),
    ),
    key=("grid_id", "left_id", "right_id"),
    partition_by=("grid_id",),
    fingerprint="similarity",
)

SIMILARITY_GROUPS = Table(
    name="similarity_groups",
    description="calculations that one representative stands for in `similarities`",
    columns=(
        Column("grid_id", STRING, "the grid", nullable=False),
        Column("calculation_id", STRING, "a calculation whose own pairs are not listed", nullable=False),
        Column("representative_id", STRING, "the calculation that stands for it", nullable=False),
        Column("similarity", FLOAT, "Tanimoto coefficient of the two", nullable=False),
        Column("group_kind", STRING, "identical (same counts) or near (same material, folded)", nullable=False),
    ),
    key=("grid_id", "calculation_id"),
    partition_by=("grid_id",),
    fingerprint="representative_id",
)

SIMILARITY_RUNS = Table(
    name="similarity_runs",
    description="what the present pairs of a grid were computed from",
    columns=(
        Column("grid_id", STRING, "the grid", nullable=False),
        Column("threshold", FLOAT, "smallest similarity that is listed", nullable=False),
        Column("aligned", FLAG, "whether aligned coefficients were asked for", nullable=False),
        Column("fold_above", INT, "calculations of one material above which near-identical ones are folded"),
        Column("fold_similarity", FLOAT, "similarity to the representative from which one is folded"),
        Column("n_fingerprints", LONG, "comparable fingerprints", nullable=False),
        Column("n_representatives", LONG, "those compared pair by pair", nullable=False),
        Column("n_pairs", LONG, "pairs listed", nullable=False),
        Column("fingerprints_version", LONG, "version of `fingerprints` that was read", nullable=False),
        Column("calculations_version", LONG, "version of `calculations` that told the materials"),
        Column("similarities_version", LONG, "version of `similarities` that holds the pairs", nullable=False),
        Column("seconds", FLOAT, "wall time", "s"),
        Column("computed_at", TIME, "when it was done", nullable=False),
    ),
    key=("grid_id",),
    partition_by=(),
    fingerprint="computed_at",
)

CLUSTERS = Table(
    name="clusters",
    description="the cluster of every calculation, by method and threshold",
    columns=(
        Column("grid_id", STRING, "the grid", nullable=False),
        Column("method", STRING, "greedy (largest neighbourhood first) or components (connected)", nullable=False),
        Column("threshold", FLOAT, "similarity from which two calculations are neighbours", nullable=False),
        Column("calculation_id", STRING, "<source>/<id in that source>", nullable=False),
        Column("cluster", INT, "number of the cluster, largest first; -1 = single", nullable=False),
        Column("center_id", STRING, "the calculation at its centre; null where there is none"),
        Column("similarity_to_center", FLOAT, "Tanimoto coefficient with the centre; null = not listed"),
        Column("n_members", INT, "calculations in the cluster", nullable=False),
        Column("similarities_version", LONG, "version of `similarities` that it was computed from", nullable=False),
    ),
    key=("grid_id", "method", "threshold", "calculation_id"),
    partition_by=("grid_id",),
    fingerprint="cluster",
)
