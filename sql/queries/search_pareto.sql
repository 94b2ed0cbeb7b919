-- Which networks of a search are beaten by no other in both error and time of a prediction?
--
-- One row per candidate on the front, the fastest first; only candidates trained to the end are compared.
--
-- param search varchar = 'newest' : a search (name.number) or a name (then its newest search); newest = the one that
--      ended last; any = all of them
--
-- column search_id : the search
-- column trial : number of the candidate in it
-- column prediction_ms : time of a prediction, in ms per crystal
-- column validation_rmse : least root mean square error on the validation rows, in unit
-- column unit : unit of the error
-- column times_slower : its time of a prediction over that of the fastest on the front
-- column times_worse : its error over that of the best on the front
-- column message_passing_steps : of the network
-- column channels : its latent size, the width
-- column n_parameters : its parameters
-- column parameters : values of the space, as JSON
-- column n_compared : candidates of the search that were compared
--
-- uses search_candidates
with compared as (
    select
        *,
        count(*) over (partition by search_id) as n_compared,
        min(validation_rmse) over (
            partition by search_id order by prediction_ms asc
            range between unbounded preceding and current row
        ) as least_as_fast,
        min(prediction_ms) over (
            partition by search_id order by validation_rmse asc
            range between unbounded preceding and current row
        ) as fastest_as_good
    from search_candidates
    where rank is not null and prediction_ms is not null
)

select
    search_id,
    trial,
    prediction_ms,
    validation_rmse,
    unit,
    prediction_ms / nullif(min(prediction_ms) over of_search, 0) as times_slower,
    validation_rmse / nullif(min(validation_rmse) over of_search, 0) as times_worse,
    message_passing_steps,
    channels,
    n_parameters,
    parameters,
    n_compared
from compared
-- None as fast is better, and none as good is faster.
where validation_rmse = least_as_fast and prediction_ms = fastest_as_good
window of_search as (partition by search_id)
order by search_id asc, prediction_ms asc, trial asc
