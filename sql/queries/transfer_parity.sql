-- Where do predicted against actual values of a transfer experiment's test rows lie (parity plots)?
--
-- Counts on a grid, so that a plot of very many rows stays small: one row per model, database, whether the material is
-- in common, and cell of the grid that holds any. All models of the experiment have the same axes, which reach over
-- the middle 99.6 % of the actual values with a twentieth of that on either side.
--
-- param transfer varchar = 'newest' : the experiment; newest = the one that ended last
-- param n_bins integer = 128 : cells along each axis
--
-- column transfer_id : the experiment
-- column model_id : the model
-- column evaluated_on : database of the rows
-- column common : whether the material is in two or more of the databases among the test rows
-- column actual_bin : place of the actual value on its axis, from 0; what lies outside is counted at the nearer end
-- column predicted_bin : place of the predicted value
-- column n : rows
-- column n_outside : rows among them with a value that lies outside the axes
-- column axis_low : lower end of both axes, in the unit of the target
-- column axis_high : upper end
with newest as (
    select transfer_id
    from transfers
    order by created_at desc, transfer_id asc
    limit 1
),

chosen as (
    select
        transfer_id,
        model_id
    from transfers
    where transfer_id = if($transfer = 'newest', (select newest.transfer_id from newest), $transfer)
    group by transfer_id, model_id
),

rows_judged as (
    select
        predictions.model_id,
        predictions.source,
        predictions.material_key,
        predictions.actual,
        predictions.predicted
    from predictions
    where
        predictions.model_id in (select chosen.model_id from chosen)
        and predictions.split = 'test'
        and isfinite(predictions.actual)
        and isfinite(predictions.predicted)
),

in_common as (
    select material_key
    from rows_judged
    group by material_key
    having count(distinct source) > 1
),

middle as (
    select
        quantile_cont(actual, 0.002) as low,
        quantile_cont(actual, 0.998) as high
    from rows_judged
),

axes as (
    select
        low - if(high > low, 0.05 * (high - low), 0.5) as low,
        high + if(high > low, 0.05 * (high - low), 0.5) as high
    from middle
),

placed as (
    select
        rows_judged.model_id,
        rows_judged.source,
        in_common.material_key is not null as common,
        floor((rows_judged.actual - axes.low) / (axes.high - axes.low) * $n_bins) as actual_bin,
        floor((rows_judged.predicted - axes.low) / (axes.high - axes.low) * $n_bins) as predicted_bin,
        axes.low,
        axes.high
    from rows_judged
    cross join axes
    left join in_common on rows_judged.material_key = in_common.material_key
),

counted as (
    select
        model_id,
        source,
        common,
        greatest(0, least($n_bins - 1, actual_bin))::integer as actual_place,
        greatest(0, least($n_bins - 1, predicted_bin))::integer as predicted_place,
        count(*) as n,
        count(*) filter (where least(actual_bin, predicted_bin) < 0 or greatest(actual_bin, predicted_bin) >= $n_bins)
            as n_outside,
        any_value(low) as low,
        any_value(high) as high
    from placed
    group by model_id, source, common, actual_place, predicted_place
)

select
    chosen.transfer_id,
    chosen.model_id,
    counted.source as evaluated_on,
    counted.common,
    counted.actual_place as actual_bin,
    counted.predicted_place as predicted_bin,
    counted.n,
    counted.n_outside,
    counted.low as axis_low,
    counted.high as axis_high
from chosen
inner join counted on chosen.model_id = counted.model_id
order by chosen.model_id, counted.source, counted.common, counted.actual_place, counted.predicted_place
