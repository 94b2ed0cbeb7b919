-- Which clusters of similar calculations are there, and what is in them?
--
-- One row per cluster that `matlake cluster` found, the largest first; single calculations are left out.
--
-- param grid varchar = 'dos-reference' : grid of the fingerprints
-- param method varchar = 'greedy' [greedy|components] : how they were clustered
-- param threshold double = 0.8 : similarity from which two calculations are neighbours
-- param limit integer = 100 : most rows of the answer
--
-- column cluster : number of the cluster
-- column n_members : calculations in it
-- column center_id : the calculation at its centre; null for components
-- column center_key : reduced_key of the centre
-- column n_keys : different materials in it, by reduced_key
-- column keys : up to five of them, the most frequent first
-- column sources : databases that its calculations are from
-- column lowest_similarity_to_center : smallest listed similarity of a member to the centre
-- column mean_similarity_to_center : mean of the listed ones, the centre's own left out
with members as (
    select *
    from clusters
    where grid_id = $grid and method = $method and threshold = $threshold and cluster >= 0
),

described as (
    select
        members.cluster,
        members.n_members,
        members.center_id,
        members.calculation_id,
        members.similarity_to_center,
        calculations.reduced_key,
        calculations.source
    from members
    left join calculations on members.calculation_id = calculations.calculation_id
),

materials as (
    select
        cluster,
        list(reduced_key order by n_of_key desc, reduced_key asc) as all_keys
    from (
        select
            cluster,
            reduced_key,
            count(*) as n_of_key
        from described
        where reduced_key is not null
        group by cluster, reduced_key
    ) as counted
    group by cluster
)

select
    described.cluster,
    any_value(described.n_members) as n_members,
    any_value(described.center_id) as center_id,
    any_value(described.reduced_key) filter (where described.calculation_id = described.center_id) as center_key,
    coalesce(len(any_value(materials.all_keys)), 0) as n_keys,
    coalesce(any_value(materials.all_keys)[1:5], []) as keys,
    list_sort(coalesce(list(distinct described.source) filter (where described.source is not null), [])) as sources,
    min(described.similarity_to_center) as lowest_similarity_to_center,
    avg(described.similarity_to_center) filter (where described.calculation_id != described.center_id)
        as mean_similarity_to_center
from described
left join materials on described.cluster = materials.cluster
group by described.cluster
order by described.cluster
limit $limit
