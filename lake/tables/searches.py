"""Searches for the best network: `searches`, their candidates in `trials`, and how these learned in `trial_curves`."""

from __future__ import annotations

from lake.tables.spec import FLOAT, INT, LONG, LONG_MAP, STRING, STRINGS, TIME, Column, Table

SEARCHES = Table(
    name="searches",
    description="one search over architectures and training settings",
    columns=(
        Column("search_id", STRING, "<name>.<number>", nullable=False),
        Column("name", STRING, "what the search was called", nullable=False),
        Column("kind", STRING, "kind of network: mpeu, schnet or painn", nullable=False),
        Column("target", STRING, "column that is predicted", nullable=False),
        Column("unit", STRING, "unit of the target", nullable=False),
        Column("sources", STRINGS, "databases of the rows", nullable=False),
        Column("subset", STRING, "subset that the rows are from; null = a condition"),
        Column("subset_version", INT, "version of the subset"),
        Column("where_sql", STRING, "condition over calculation_traits; null = a subset"),
        Column("table_versions", LONG_MAP, "version of every table that was read", nullable=False),
        Column("data_sha256", STRING, "digest of rows, splits, targets and structures", nullable=False),
        Column("space_json", STRING, "what was searched", nullable=False),
        Column("settings_json", STRING, "what all have in common, sampler, pruner, budget", nullable=False),
        Column("sampler", STRING, "random, tpe or evolutionary", nullable=False),
        Column("pruner", STRING, "hyperband, halving or none", nullable=False),
        Column("n_candidates", LONG, "candidates begun", nullable=False),
        Column("n_completed", LONG, "of these trained to the end", nullable=False),
        Column("n_pruned", LONG, "ended early", nullable=False),
        Column("n_failed", LONG, "failed; the reasons are in trials", nullable=False),
        Column("training_steps", LONG, "gradient steps that this search did, of all candidates", nullable=False),
        Column("full_training_steps", LONG, "gradient steps that training all of them to the end would have taken",
               nullable=False),
        Column("best_trial", INT, "candidate of the least validation error; null = none came to its end"),
        Column("best_rmse", FLOAT, "its validation error, in the unit of the target"),
        Column("mean_rmse", FLOAT, "mean of the candidates trained to the end"),
        Column("median_rmse", FLOAT, "median of them"),
        Column("gain", FLOAT, "1 − best / mean, the paper's measure of what searching is worth (there mean 556, median "
               "553 and best 474 meV: 14.7 %)"),
        Column("device_hours", FLOAT, "hours that devices computed for the candidates", "h", nullable=False),
        Column("full_device_hours", FLOAT, "hours that training all of them to the end would have taken", "h"),
        Column("price_per_hour", FLOAT, "of the device, in any currency; null = unknown"),
        Column("cost", FLOAT, "device_hours × price_per_hour"),
        Column("full_cost", FLOAT, "full_device_hours × price_per_hour"),
        Column("model_id", STRING, "ensemble of the best few; null = not trained"),
        Column("promotion", STRING, "what became of it as challenger: promoted, turned down, or null = not offered"),
        Column("seconds", FLOAT, "wall time of the search", "s", nullable=False),
        Column("created_at", TIME, "when it ended", nullable=False),
    ),
    key=("search_id",),
    partition_by=(),
    fingerprint="settings_json",
)

TRIALS = Table(
    name="trials",
    description="one candidate of a search",
    columns=(
        Column("search_id", STRING, "the search", nullable=False),
        Column("trial", INT, "counts up from 0 within a search", nullable=False),
        Column("state", STRING, "completed, pruned or failed", nullable=False),
        Column("reason", STRING, "why it was pruned or failed; null = completed"),
        Column("parameters_json", STRING, "values of the space", nullable=False),
        Column("message_passing_steps", INT, "steps of the network"),
        Column("channels", INT, "latent size of the network"),
        Column("n_parameters", LONG, "parameters of the network"),
        Column("training_steps", LONG, "gradient steps done", nullable=False),
        Column("best_step", LONG, "step of the least validation error"),
        Column("validation_rmse", FLOAT, "least validation error, in the unit of the target; the reward is its "
               "negative"),
        Column("validation_mae", FLOAT, "mean absolute error at the same step"),
        Column("seconds", FLOAT, "its share of the time of training", "s"),
        Column("prediction_ms", FLOAT, "time of a prediction, per crystal", "ms"),
        Column("n_stacked", INT, "candidates that were trained together with it, itself included"),
        Column("seed", LONG, "of its weights"),
        Column("device", STRING, "where it was trained"),
        Column("from_search", STRING, "earlier search that it was trained in, and taken over from; null = this one"),
        Column("ended_at", TIME, "when it ended", nullable=False),
    ),
    key=("search_id", "trial"),
    partition_by=("search_id",),
    fingerprint="parameters_json",
)

TRIAL_CURVES = Table(
    name="trial_curves",
    description="one evaluation during the training of a candidate",
    columns=(
        Column("search_id", STRING, "the search", nullable=False),
        Column("trial", INT, "the candidate", nullable=False),
        Column("step", LONG, "gradient steps done", nullable=False),
        Column("train_loss", FLOAT, "mean loss since the evaluation before, of standardised targets"),
        Column("validation_rmse", FLOAT, "root mean square error on the validation rows, in the unit of the target"),
        Column("validation_mae", FLOAT, "mean absolute error on them"),
    ),
    key=("search_id", "trial", "step"),
    partition_by=("search_id",),
    fingerprint="validation_rmse",
)
