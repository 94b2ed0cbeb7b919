-- Which calculations are alike, and which materials, databases and functionals are they of?
--
-- One row per pair that `matlake similar --threshold` found, the most similar first. Calculations with equal
-- fingerprints are written out pair by pair; those that were folded into a nearly equal one appear with that one alone.
--
-- param grid varchar = 'dos-reference' : grid of the fingerprints
-- param minimum_similarity double = 0 : smallest similarity; nothing is listed below the threshold of the run
-- param same_material varchar = 'any' [any|yes|no] : only pairs of one reduced_key (yes) or of two known ones (no)
-- param limit integer = 100 : most rows of the answer
--
-- column left_id : calculation that comes first in the alphabet
-- column right_id : calculation that comes second
-- column similarity : Tanimoto coefficient of the two fingerprints
-- column aligned_similarity : the best one over small shifts of the energies; null = not computed
-- column aligned_shift_ev : the shift of right against left that gives it (eV)
-- column pair_kind : listed, identical (by an equal fingerprint) or near (folded)
-- column left_source : database of the first
-- column right_source : database of the second
-- column left_material : reduced_key of the first
-- column right_material : reduced_key of the second
-- column left_functional : functional of the first; of its density of states where that is known
-- column right_functional : functional of the second
with described as (
    select
        pairs.left_id,
        pairs.right_id,
        pairs.similarity,
        pairs.aligned_similarity,
        pairs.aligned_shift_ev,
        pairs.pair_kind,
        split_part(pairs.left_id, '/', 1) as left_source,
        split_part(pairs.right_id, '/', 1) as right_source,
        one.reduced_key as left_material,
        other.reduced_key as right_material,
        one.xc_functional as left_functional,
        other.xc_functional as right_functional
    from similar_calculations as pairs
    left join calculations as one on pairs.left_id = one.calculation_id
    left join calculations as other on pairs.right_id = other.calculation_id
    where
        pairs.grid_id = $grid
        and pairs.similarity >= $minimum_similarity
        and (
            $same_material = 'any'
            or ($same_material = 'yes' and one.reduced_key = other.reduced_key)
            or ($same_material = 'no' and one.reduced_key <> other.reduced_key)
        )
    order by pairs.similarity desc, pairs.left_id asc, pairs.right_id asc
    limit $limit
),

-- Looked up for the rows of the answer alone.
densities as (
    select
        calculation_id,
        xc_functional
    from dos
    where
        starts_with($grid, 'dos')
        and (
            calculation_id in (select described.left_id from described)
            or calculation_id in (select described.right_id from described)
        )
)

select
    described.left_id,
    described.right_id,
    described.similarity,
    described.aligned_similarity,
    described.aligned_shift_ev,
    described.pair_kind,
    described.left_source,
    described.right_source,
    described.left_material,
    described.right_material,
    coalesce(one.xc_functional, described.left_functional) as left_functional,
    coalesce(other.xc_functional, described.right_functional) as right_functional
from described
left join densities as one on described.left_id = one.calculation_id
left join densities as other on described.right_id = other.calculation_id
order by described.similarity desc, described.left_id asc, described.right_id asc
