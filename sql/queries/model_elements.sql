-- Which elements has a model learned from, and on which is it tested?
--
-- One row per element of the rows that it has predictions of; a row counts once for each element in it.
--
-- param model varchar = 'newest' : the model's id; newest = the one saved last
--
-- column model_id : the model
-- column element : symbol
-- column n_train : rows with it that the model was trained on and has predictions of
-- column n_validation : rows with it that chose when to stop
-- column n_test : rows with it that it is tested on
with newest as (
    select model_id
    from models
    order by created_at desc, model_id asc
    limit 1
),

chosen as (
    select if($model = 'newest', (select newest.model_id from newest), $model) as model_id
),

seen as (
    select
        predictions.model_id,
        predictions.split,
        unnest(calculations.elements) as element
    from predictions
    inner join calculations on predictions.calculation_id = calculations.calculation_id
    where predictions.model_id = (select chosen.model_id from chosen) and predictions.split is not null
)

select
    model_id,
    element,
    count(*) filter (where split = 'train') as n_train,
    count(*) filter (where split = 'validation') as n_validation,
    count(*) filter (where split = 'test') as n_test
from seen
group by model_id, element
order by element
