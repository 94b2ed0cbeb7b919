-- What was each search worth, and what did it cost against training every candidate to the end?
--
-- One row per search, the newest first. The gain is that of Speckhard et al. (2025): the best against the mean of the
-- candidates trained to the end; there 474 against 556 meV (median 553), 14.7 %. With pruning, those trained to the end
-- are those that were good before: their mean is better, and the gain smaller, than that of all candidates.
--
-- param search varchar = 'any' : a search (name.number) or a name (then its newest search); newest = the one that
--      ended last; any = all of them
--
-- column search_id : the search
-- column kind : kind of network
-- column target : column that is predicted
-- column sampler : random, tpe or evolutionary
-- column pruner : how candidates were ended early; none = they were not
-- column n_candidates : candidates begun
-- column n_completed : of these trained to the end
-- column n_pruned : ended early
-- column n_failed : failed; see search_candidates for the reasons
-- column best_trial : number of the best candidate
-- column best_rmse : its validation error, in unit
-- column mean_rmse : mean of the candidates trained to the end, in unit
-- column median_rmse : median of them, in unit
-- column gain : 1 − best / mean
-- column unit : unit of the errors
-- column training_steps : gradient steps done, of all candidates
-- column full_training_steps : gradient steps that training all of them to the end would have taken
-- column share_of_steps : the one over the other
-- column device_hours : hours that devices computed
-- column full_device_hours : hours that training all of them to the end would have taken
-- column price_per_hour : of the device, in the currency that was given; null = unknown
-- column cost : device_hours at that price
-- column full_cost : full_device_hours at that price
-- column saved : the one less the other
-- column hours : wall time of the search, in h
-- column model_id : ensemble of the best few; null = not trained
-- column promotion : what became of it as challenger; null = not offered
-- column created_at : when the search ended
select
    search_id,
    kind,
    target,
    sampler,
    pruner,
    n_candidates,
    n_completed,
    n_pruned,
    n_failed,
    best_trial,
    best_rmse,
    mean_rmse,
    median_rmse,
    1 - best_rmse / nullif(mean_rmse, 0) as gain,
    unit,
    training_steps,
    full_training_steps,
    training_steps / nullif(full_training_steps, 0) as share_of_steps,
    device_hours,
    full_device_hours,
    price_per_hour,
    cost,
    full_cost,
    full_cost - cost as saved,
    seconds / 3600 as hours,
    model_id,
    promotion,
    created_at
from chosen_searches($search)
order by created_at desc, search_id desc
