-- How far do models carry from one database to another: one row per model of a transfer experiment and database.
--
-- transfer_id      : the experiment; newest = whether no experiment of the same target is newer
-- place            : order of the rows of a matrix: own models first, then combined, settings, corrected
-- road, trained_on : how databases were brought together, and which (with + between them)
-- evaluated_on     : database of the test rows; * = all together
-- seen             : whether the model was trained on rows of that database; null for *
-- mae, rmse, bias, r2 : errors on test rows with the ends of their 95 % intervals, in the unit of the target;
--                       bias is the mean of predicted minus actual
-- own_mae          : mean absolute error of the database's own model on the same database
-- mae_to_own       : mae / own_mae; below 1 = better than the database's own model
select
    transfers.transfer_id,
    transfers.created_at = max(transfers.created_at) over (partition by transfers.target) as newest,
    transfers.target,
    dense_rank() over (
        partition by transfers.transfer_id
        order by
            coalesce(list_position(['own', 'combined', 'settings', 'corrected'], transfers.road), 5),
            transfers.trained_on
    ) as place,
    transfers.road,
    transfers.trained_on,
    transfers.model_id,
    evaluations.evaluated_on,
    if(
        evaluations.evaluated_on = '*', null,
        list_contains(string_split(transfers.trained_on, '+'), evaluations.evaluated_on)
    ) as seen,
    evaluations.n,
    evaluations.n_materials,
    evaluations.unit,
    evaluations.mae,
    evaluations.mae_low,
    evaluations.mae_high,
    evaluations.rmse,
    evaluations.rmse_low,
    evaluations.rmse_high,
    evaluations.bias,
    evaluations.bias_low,
    evaluations.bias_high,
    evaluations.r2,
    evaluations.r2_low,
    evaluations.r2_high,
    evaluations.actual_standard_deviation,
    max(if(transfers.road = 'own' and transfers.trained_on = evaluations.evaluated_on, evaluations.mae, null))
        over (partition by transfers.transfer_id, evaluations.evaluated_on) as own_mae,
    evaluations.mae / nullif(own_mae, 0) as mae_to_own
from transfers
inner join evaluations on transfers.model_id = evaluations.model_id
where
    evaluations.split = 'test'
    and evaluations.slice_kind = 'all'
    and (evaluations.evaluated_on = '*' or list_contains(transfers.sources, evaluations.evaluated_on))
