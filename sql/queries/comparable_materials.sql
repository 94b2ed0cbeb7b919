-- Which materials have most calculations that can be compared by fingerprint?
--
-- One row per material, the one with most comparable calculations first: candidates for `matlake convergence`.
--
-- param grid varchar = 'dos-reference' : grid of the fingerprints
-- param key_kind varchar = 'reduced_key' [cell_key|reduced_key] : what makes two rows the same material
-- param at_least integer = 2 : comparable calculations that a material must have
-- param limit integer = 100 : most rows of the answer
--
-- column material_key : the key
-- column n_comparable : calculations with a fingerprint
-- column n_set_aside : calculations that were set aside with a reason
-- column sources : databases of the comparable ones
-- column functionals : functionals of the comparable ones, as far as known
with keyed as (
    select
        if($key_kind = 'cell_key', calculations.cell_key, calculations.reduced_key) as material_key,
        calculations.source,
        lower(calculations.xc_functional) as functional,
        fingerprints.reason is null as comparable
    from fingerprints
    inner join calculations on fingerprints.calculation_id = calculations.calculation_id
    where fingerprints.grid_id = $grid
)

select
    material_key,
    count(*) filter (where comparable) as n_comparable,
    count(*) filter (where not comparable) as n_set_aside,
    list_sort(list(distinct source) filter (where comparable)) as sources,
    list_sort(coalesce(list(distinct functional) filter (where comparable and functional is not null), []))
        as functionals
from keyed
where material_key is not null
group by material_key
having count(*) filter (where comparable) >= $at_least
order by n_comparable desc, material_key asc
limit $limit
