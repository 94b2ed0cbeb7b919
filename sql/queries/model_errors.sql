-- How far is a model off, on which database, in which split, and for which kind of rows?
--
-- One row per set of rows that the model was evaluated on: all of a split first, then slice by slice, worst first.
-- Intervals are 95 %, by bootstrap over materials.
--
-- param model varchar = 'newest' : the model's id or its name (then its newest version); newest = the one saved last
-- param split varchar = 'test' [train|validation|test|any] : which split
-- param slice_kind varchar = 'any' : all, element, common, functional, size, …; any = every kind
-- param minimum_rows integer = 1 : leave out what has fewer rows
--
-- column model_id : the model
-- column evaluated_on : database; * = all of them together
-- column split : train, validation or test
-- column slice_kind : all, or what rows are told apart by
-- column slice : which of them; * where slice_kind is all
-- column n : rows
-- column n_materials : materials
-- column unit : unit of the errors
-- column mae : mean absolute error
-- column mae_low : lower end of its interval
-- column mae_high : upper end
-- column rmse : root mean square error
-- column bias : mean of predicted minus actual
-- column bias_low : lower end of its interval
-- column bias_high : upper end
-- column r2 : coefficient of determination
-- column mae_over_spread : mean absolute error over the standard deviation of the values; always saying the mean
--      gives about 0.8
with chosen as (
    select model_id
    from models
    where $model = 'newest' or $model = name or $model = model_id
    order by
        case when $model = 'newest' then created_at end desc,
        version desc,
        model_id asc
    limit 1
)

select
    model_id,
    evaluated_on,
    split,
    slice_kind,
    slice,
    n,
    n_materials,
    unit,
    mae,
    mae_low,
    mae_high,
    rmse,
    bias,
    bias_low,
    bias_high,
    r2,
    mae / nullif(actual_standard_deviation, 0) as mae_over_spread
from evaluations
where
    model_id = (select chosen.model_id from chosen)
    and ($split = 'any' or split = $split)
    and ($slice_kind = 'any' or slice_kind = $slice_kind)
    and n >= $minimum_rows
order by
    slice_kind != 'all' asc,
    evaluated_on asc,
    case split when 'train' then 1 when 'validation' then 2 else 3 end asc,
    slice_kind asc,
    mae desc,
    slice asc
