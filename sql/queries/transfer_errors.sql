-- Where do the errors of a transfer experiment come from: materials in common or not, elements, settings, energies?
--
-- One row per model, database and slice of its test rows, for each kind of slice those with the largest share of the
-- error first.
--
-- param transfer varchar = 'newest' : the experiment; newest = the one that ended last
-- param slice_kind varchar = 'any' : common, element, functional, plus_u, formation_energy, size, …; any = every kind
-- param minimum_rows integer = 1 : leave out what has fewer rows
--
-- column transfer_id : the experiment
-- column road : own, combined, settings or corrected
-- column trained_on : databases that the model was trained on
-- column evaluated_on : database of the rows
-- column slice_kind : what rows are told apart by
-- column slice : which of them
-- column n : rows
-- column unit : unit of the errors
-- column mae : mean absolute error
-- column mae_low : lower end of its 95 % interval
-- column mae_high : upper end
-- column bias : mean of predicted minus actual
-- column own_mae : mean absolute error of the database's own model on the same slice
-- column share_of_rows : of all test rows of the database that the model has predicted
-- column share_of_error : of the sum of its absolute errors on them; elements overlap, so theirs add up to more than 1
with chosen as (
    select
        transfer_id,
        road,
        trained_on,
        model_id
    from transfers
    where
        transfer_id
        = if(
            $transfer = 'newest',
            (
                select newest.transfer_id
                from transfers as newest
                order by newest.created_at desc, newest.transfer_id asc
                limit 1
            ),
            $transfer
        )
),

judged as (
    select
        chosen.transfer_id,
        chosen.road,
        chosen.trained_on,
        evaluations.evaluated_on,
        evaluations.slice_kind,
        evaluations.slice,
        evaluations.n,
        evaluations.unit,
        evaluations.mae,
        evaluations.mae_low,
        evaluations.mae_high,
        evaluations.bias,
        max(if(chosen.road = 'own' and chosen.trained_on = evaluations.evaluated_on, evaluations.mae, null))
            over (partition by evaluations.evaluated_on, evaluations.slice_kind, evaluations.slice) as own_mae,
        max(if(evaluations.slice_kind = 'all', evaluations.n, null)) over of_model as n_all,
        max(if(evaluations.slice_kind = 'all', evaluations.n * evaluations.mae, null)) over of_model as error_all
    from chosen
    inner join evaluations on chosen.model_id = evaluations.model_id
    where evaluations.split = 'test'
    window of_model as (partition by chosen.model_id, evaluations.evaluated_on)
)

select
    transfer_id,
    road,
    trained_on,
    evaluated_on,
    slice_kind,
    slice,
    n,
    unit,
    mae,
    mae_low,
    mae_high,
    bias,
    own_mae,
    n / n_all as share_of_rows,
    n * mae / nullif(error_all, 0) as share_of_error
from judged
where
    slice_kind != 'all'
    and ($slice_kind = 'any' or slice_kind = $slice_kind)
    and n >= $minimum_rows
order by
    coalesce(list_position(['own', 'combined', 'settings', 'corrected'], road), 5) asc,
    trained_on asc,
    evaluated_on = '*' asc,
    evaluated_on asc,
    slice_kind asc,
    share_of_error desc,
    slice asc
