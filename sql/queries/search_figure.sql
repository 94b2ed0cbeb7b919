-- Which size of network is best (Figure 7 of Speckhard et al., 2025)?
--
-- One row per number of message-passing steps and latent size that a search tried. Errors are of candidates trained to
-- the end: those of candidates ended early are of fewer steps and compare with nothing.
--
-- param search varchar = 'newest' : a search (name.number) or a name (then its newest search); newest = the one that
--      ended last; any = all of them
--
-- column search_id : the search
-- column message_passing_steps : of the networks
-- column channels : their latent size, the width
-- column best_rmse : least validation error of those trained to the end, in unit; null = none was
-- column median_rmse : median of their errors, in unit
-- column above_the_best : best_rmse against that of the best size: 0 = it is the best, 0.05 = 5 % worse
-- column n_candidates : candidates of this size
-- column n_completed : of these trained to the end
-- column share : of all candidates of the search; a sampler that learns prefers sizes that are good
-- column best_trial : number of the best candidate of this size
-- column unit : unit of the errors
--
-- uses search_candidates
with sizes as (
    select
        search_id,
        message_passing_steps,
        channels,
        unit,
        min(validation_rmse) filter (where rank is not null) as best_rmse,
        median(validation_rmse) filter (where rank is not null) as median_rmse,
        count(*) as n_candidates,
        count(rank) as n_completed,
        arg_min(trial, rank) as best_trial
    from search_candidates
    group by search_id, message_passing_steps, channels, unit
)

select
    search_id,
    message_passing_steps,
    channels,
    best_rmse,
    median_rmse,
    best_rmse / nullif(min(best_rmse) over of_search, 0) - 1 as above_the_best,
    n_candidates,
    n_completed,
    n_candidates / sum(n_candidates) over of_search as share,
    best_trial,
    unit
from sizes
window of_search as (partition by search_id)
order by search_id asc, message_passing_steps asc nulls last, channels asc nulls last
