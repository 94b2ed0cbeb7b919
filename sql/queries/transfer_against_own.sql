-- Does a model of a transfer experiment do at least as well on a database as the model of that database alone?
--
-- One row per model and database that has an own model. Both models are judged on the same test rows, so that rows
-- which are hard for both do not widen the interval.
--
-- param transfer varchar = 'newest' : the experiment; newest = the one that ended last
--
-- column transfer_id : the experiment
-- column road : own (of another database), combined, settings or corrected
-- column trained_on : databases that the model was trained on
-- column model_id : the model
-- column evaluated_on : the database
-- column own_model_id : the model of that database alone
-- column n : test rows of the database that both have predicted
-- column n_materials : materials among them
-- column own_mae : mean absolute error of the database's own model, in the unit of the target
-- column mae : that of this model
-- column difference : mae minus own_mae; negative = this model is better
-- column difference_low : lower end of its 95 % interval; null below 4 materials
-- column difference_high : upper end
--
-- The interval is difference ± 1.96 standard errors, clustered by material: the rows of one material are not
-- independent (Cameron & Miller, J. Human Resources 50, 317 (2015), for a mean).
with newest as (
    select transfer_id
    from transfers
    order by created_at desc, transfer_id asc
    limit 1
),

chosen as (
    select
        transfer_id,
        road,
        trained_on,
        model_id
    from transfers
    where transfer_id = if($transfer = 'newest', (select newest.transfer_id from newest), $transfer)
),

errors as (
    select
        predictions.model_id,
        predictions.calculation_id,
        predictions.source,
        predictions.material_key,
        abs(predictions.predicted - predictions.actual) as error
    from predictions
    where
        predictions.model_id in (select chosen.model_id from chosen)
        and predictions.split = 'test'
        and isfinite(predictions.actual)
        and isfinite(predictions.predicted)
),

own_errors as (
    select
        own.model_id,
        errors.source,
        errors.calculation_id,
        errors.error
    from chosen as own
    inner join errors on own.model_id = errors.model_id and own.trained_on = errors.source
    where own.road = 'own'
),

by_material as (
    select
        errors.model_id,
        errors.source,
        own_errors.model_id as own_model_id,
        count(*) as n,
        sum(errors.error) as errors_sum,
        sum(own_errors.error) as own_errors_sum,
        sum(errors.error - own_errors.error) as difference_sum
    from errors
    inner join own_errors on errors.calculation_id = own_errors.calculation_id and errors.source = own_errors.source
    where errors.model_id != own_errors.model_id
    group by errors.model_id, errors.source, own_errors.model_id, errors.material_key
),

means as (
    select
        *,
        sum(difference_sum) over same / sum(n) over same as mean_difference
    from by_material
    window same as (partition by model_id, source, own_model_id)
),

judged as (
    select
        model_id,
        source,
        own_model_id,
        sum(n)::bigint as n,
        count(*) as n_materials,
        sum(own_errors_sum) / sum(n) as own_mae,
        sum(errors_sum) / sum(n) as mae,
        any_value(mean_difference) as difference,
        if(
            count(*) >= 4,
            1.96 * sqrt(sum((difference_sum - n * mean_difference) ^ 2) * count(*) / (count(*) - 1)) / sum(n),
            null
        ) as half_width
    from means
    group by model_id, source, own_model_id
)

select
    chosen.transfer_id,
    chosen.road,
    chosen.trained_on,
    chosen.model_id,
    judged.source as evaluated_on,
    judged.own_model_id,
    judged.n,
    judged.n_materials,
    judged.own_mae,
    judged.mae,
    judged.difference,
    judged.difference - judged.half_width as difference_low,
    judged.difference + judged.half_width as difference_high
from chosen
inner join judged on chosen.model_id = judged.model_id
order by chosen.road, chosen.trained_on, judged.source
