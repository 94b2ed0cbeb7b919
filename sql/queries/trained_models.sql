-- Which models are there, what were they trained on, and how far are they off on test rows of their own databases?
--
-- One row per model: champions first, then the newest.
--
-- param target varchar = 'any' : only models of this column; any = all
--
-- column model_id : the model
-- column name : its name
-- column version : its version within the name
-- column newest : whether no version of the name is newer
-- column champion : whether retraining holds it for the best of its name; null = the name was never retrained
-- column kind : mpeu, schnet, painn, forest or mlp
-- column target : column that it predicts
-- column unit : unit of the target and of the errors
-- column road : how several databases were brought together
-- column sources : databases of the rows that it was trained on
-- column subset : subset that the rows are from
-- column subset_version : version of the subset
-- column n_train : rows it was trained on
-- column n_test : test rows of its own databases that it was evaluated on
-- column mae : mean absolute error on them
-- column n_members : members of the ensemble
-- column redistributable : whether every row's licence lets it be passed on
-- column seconds : wall time of training (s)
-- column device : where it was trained
-- column created_at : when it was saved
with decided as (
    select
        name,
        arg_max(challenger_id, decision) as champion_id
    from promotions
    where promoted
    group by name
),

tested as (
    select
        evaluations.model_id,
        sum(evaluations.n)::bigint as n,
        sum(evaluations.mae * evaluations.n) / sum(evaluations.n) as mae
    from evaluations
    inner join models on evaluations.model_id = models.model_id
    where
        evaluations.split = 'test'
        and evaluations.slice_kind = 'all'
        and list_contains(models.sources, evaluations.evaluated_on)
    group by evaluations.model_id
)

select
    models.model_id,
    models.name,
    models.version,
    models.version = max(models.version) over (partition by models.name) as newest,
    if(decided.champion_id is null, null, decided.champion_id = models.model_id) as champion,
    models.kind,
    models.target,
    models.unit,
    models.road,
    models.sources,
    models.subset,
    models.subset_version,
    models.n_train,
    tested.n as n_test,
    tested.mae,
    models.n_members,
    models.redistributable,
    models.seconds,
    models.device,
    models.created_at
from models
left join decided on models.name = decided.name
left join tested on models.model_id = tested.model_id
where $target = 'any' or models.target = $target
order by coalesce(decided.champion_id = models.model_id, false) desc, models.created_at desc, models.model_id asc
