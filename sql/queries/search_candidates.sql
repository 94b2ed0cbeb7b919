-- Which candidates did a search try, how good were they, and what became of each?
--
-- One row per candidate, by validation error: first those trained to the end, then those ended early, whose errors are
-- of fewer steps, then those that failed.
--
-- param search varchar = 'newest' : a search (name.number) or a name (then its newest search); newest = the one that
--      ended last; any = all of them
--
-- column search_id : the search
-- column trial : number of the candidate in it
-- column rank : place among those trained to the end, by validation error; null = ended early, or failed
-- column state : completed, pruned or failed
-- column reason : why it was ended early or failed; null = completed
-- column validation_rmse : least root mean square error on the validation rows, in unit
-- column validation_mae : mean absolute error at the same step, in unit
-- column unit : unit of the errors
-- column message_passing_steps : of the network
-- column channels : its latent size, the width
-- column n_parameters : its parameters
-- column training_steps : gradient steps done
-- column share_of_training : of the steps of a training to the end
-- column best_step : step of the least validation error
-- column seconds : its share of the time of training, in s
-- column prediction_ms : time of a prediction, in ms per crystal
-- column n_stacked : candidates that were trained together with it, itself included
-- column parameters : values of the space, as JSON
-- column seed : of its weights
-- column device : where it was trained
with chosen as (
    select
        search_id,
        unit,
        full_training_steps / nullif(n_candidates, 0) as steps_to_the_end
    from chosen_searches($search)
),

candidates as (
    select
        trials.*,
        chosen.unit,
        chosen.steps_to_the_end,
        if(isfinite(trials.validation_rmse), trials.validation_rmse, null) as error,
        trials.state = 'completed' and coalesce(isfinite(trials.validation_rmse), false) as is_ranked
    from trials
    inner join chosen on trials.search_id = chosen.search_id
)

select
    search_id,
    trial,
    if(
        is_ranked,
        rank() over (partition by search_id, is_ranked order by error asc),
        null
    ) as rank,
    state,
    reason,
    error as validation_rmse,
    validation_mae,
    unit,
    message_passing_steps,
    channels,
    n_parameters,
    training_steps,
    training_steps / nullif(steps_to_the_end, 0) as share_of_training,
    best_step,
    seconds,
    prediction_ms,
    n_stacked,
    parameters_json as parameters,
    seed,
    device
from candidates
order by
    search_id asc,
    case state when 'completed' then 1 when 'pruned' then 2 else 3 end asc,
    error asc nulls last,
    trial asc
