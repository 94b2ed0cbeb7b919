-- For how many of the materials that two databases have in common do their densities of states agree?
--
-- One row per pair of databases. A material is common if both have a comparable density of states of it, and
-- they agree if one of each is among the pairs of `matlake similar`, or if one calculation stands for both: the
-- threshold is the one of that run. A material with many calculations agrees as soon as two of them do.
--
-- param grid varchar = 'dos-reference' : grid of the fingerprints
-- param key_kind varchar = 'reduced_key' [cell_key|reduced_key] : what makes two rows the same material
--
-- column left_source : database, the first in the alphabet
-- column right_source : the other one
-- column threshold : similarity from which a pair is listed
-- column n_common_materials : materials of which both have a comparable calculation
-- column n_agreeing_materials : those for which a pair of them is listed
-- column agreeing_percent : their share (%)
-- column median_best_similarity : median over the agreeing materials of the largest coefficient listed
with represented as (
    select distinct
        if($key_kind = 'cell_key', calculations.cell_key, calculations.reduced_key) as material_key,
        calculations.source,
        coalesce(similarity_groups.representative_id, fingerprints.calculation_id) as representative_id
    from fingerprints
    inner join calculations on fingerprints.calculation_id = calculations.calculation_id
    left join similarity_groups
        on
            fingerprints.grid_id = similarity_groups.grid_id
            and fingerprints.calculation_id = similarity_groups.calculation_id
    where fingerprints.grid_id = $grid and fingerprints.reason is null
),

keyed as (
    select
        material_key,
        source,
        representative_id
    from represented
    where material_key is not null
),

held as (
    select distinct
        material_key,
        source
    from keyed
),

common as (
    select
        first.material_key,
        first.source as left_source,
        second.source as right_source
    from held as first
    inner join held as second on first.material_key = second.material_key and first.source < second.source
),

edges as (
    select
        left_id,
        right_id,
        similarity
    from similarities
    where grid_id = $grid
    union all
    select
        right_id as left_id,
        left_id as right_id,
        similarity
    from similarities
    where grid_id = $grid
    union all
    select distinct
        representative_id as left_id,
        representative_id as right_id,
        1.0 as similarity
    from keyed
),

best as (
    select
        first.material_key,
        first.source as left_source,
        second.source as right_source,
        max(edges.similarity) as similarity
    from edges
    inner join keyed as first on edges.left_id = first.representative_id
    inner join keyed as second
        on
            edges.right_id = second.representative_id
            and first.material_key = second.material_key
            and first.source < second.source
    group by all
)

select
    common.left_source,
    common.right_source,
    any_value(similarity_runs.threshold) as threshold,
    count(*) as n_common_materials,
    count(best.similarity) as n_agreeing_materials,
    100 * count(best.similarity) / count(*) as agreeing_percent,
    median(best.similarity) as median_best_similarity
from common
left join best
    on
        common.material_key = best.material_key
        and common.left_source = best.left_source
        and common.right_source = best.right_source
left join similarity_runs on similarity_runs.grid_id = $grid
group by common.left_source, common.right_source
order by n_common_materials desc, left_source asc, right_source asc
