"""`complexities`: how complex a model is by the measures of its class, and what that is worth."""

from __future__ import annotations

from lake.tables.spec import FLOAT, INT, LONG, LONG_MAP, STRING, TIME, Column, Table

COMPLEXITIES = Table(
    name="complexities",
    description="complexity of one model beside its error",
    columns=(
        Column("model_id", STRING, "the model; of a study: <study>/<name of the model in it>", nullable=False),
        Column("variant", STRING, "* = the model itself; dimension-<n> of a formula, features-<n> of an expansion, …",
               nullable=False),
        Column("study", STRING, "study that it belongs to; null = a model of the lake"),
        Column("kind", STRING, "kind of model", nullable=False),
        Column("model_class", STRING, "network, forest, formula or expansion", nullable=False),
        Column("target", STRING, "column that it predicts", nullable=False),
        Column("unit", STRING, "unit of the target; null = none"),
        Column("data_sha256", STRING, "digest of the data: errors of the same data compare", nullable=False),
        Column("n_parameters", LONG, "everything that was fitted", nullable=False),
        Column("n_weights", LONG, "weights of a network"),
        Column("n_biases", LONG, "biases of a network"),
        Column("n_additive", LONG, "A: parameters that add", nullable=False),
        Column("n_linear", LONG, "L: parameters that the output is linear in", nullable=False),
        Column("n_nonlinear", LONG, "N: parameters inside a nonlinear function", nullable=False),
        Column("n_trees", LONG, "trees of a forest"),
        Column("n_leaves", LONG, "leaves of a forest, of all trees"),
        Column("rung", INT, "highest rung of a formula's features"),
        Column("dimension", INT, "terms of a formula"),
        Column("n_operators", LONG, "operators in a formula"),
        Column("terms_by_degree", LONG_MAP, "terms of an expansion by the degree of their monomial"),
        Column("coefficient_additive", FLOAT, "a of C(h) = a·A + b·L + c·N", nullable=False),
        Column("coefficient_linear", FLOAT, "b", nullable=False),
        Column("coefficient_nonlinear", FLOAT, "c", nullable=False),
        Column("complexity", FLOAT, "C(h)", nullable=False),
        Column("evaluated_on", STRING, "rows that the errors are of: test, cross-validation, …"),
        Column("n", LONG, "how many rows"),
        Column("mae", FLOAT, "mean absolute error on them"),
        Column("rmse", FLOAT, "root mean square error on them"),
        Column("rmsle", FLOAT, "root mean square of the difference of log(1 + value); null = a value is below 0"),
        Column("train_mae", FLOAT, "mean absolute error on the training rows"),
        Column("train_rmse", FLOAT, "root mean square error on the training rows"),
        Column("settings_json", STRING, "what was asked", nullable=False),
        Column("created_at", TIME, "when it was found", nullable=False),
    ),
    key=("model_id", "variant"),
    partition_by=(),
    fingerprint="created_at",
)
