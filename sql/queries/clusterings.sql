-- Which clusterings did `matlake cluster` make, and how do the calculations fall into them?
--
-- One row per grid, method and threshold; `clusters` lists the clusters of one of them.
--
-- column grid_id : the grid of the fingerprints
-- column method : greedy (largest neighbourhood first) or components (connected)
-- column threshold : similarity from which two calculations are neighbours
-- column n_calculations : calculations that were clustered
-- column n_clusters : clusters of two or more
-- column n_single : calculations without a neighbour
-- column largest : calculations in the largest cluster
-- column n_across_sources : clusters with calculations of two or more databases
-- column n_across_materials : clusters with two or more materials, by reduced_key
with sized as (
    select
        clusters.grid_id,
        clusters.method,
        clusters.threshold,
        clusters.cluster,
        count(*) as n_members,
        count(distinct calculations.source) as n_sources,
        count(distinct calculations.reduced_key) as n_materials
    from clusters
    left join calculations on clusters.calculation_id = calculations.calculation_id
    group by all
)

select
    grid_id,
    method,
    threshold,
    sum(n_members)::bigint as n_calculations,
    count(*) filter (where cluster >= 0) as n_clusters,
    coalesce(sum(n_members) filter (where cluster < 0), 0)::bigint as n_single,
    coalesce(max(n_members) filter (where cluster >= 0), 0) as largest,
    count(*) filter (where cluster >= 0 and n_sources > 1) as n_across_sources,
    count(*) filter (where cluster >= 0 and n_materials > 1) as n_across_materials
from sized
group by grid_id, method, threshold
order by grid_id, method, threshold
