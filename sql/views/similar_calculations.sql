-- Pairs of similar calculations, those written out for which an equal one stands in `similarities`: each pair once.
--
-- What is listed there are pairs of representatives. A calculation whose fingerprint equals its representative's
-- has the very pairs of it, so that writing them out loses and adds nothing. A calculation that was folded into a
-- nearly equal one of the same material (group_kind near) is another matter: it appears with that one and with
-- what equals that one, of which the similarity is known, and with nothing else. `matlake similar --no-fold` lists
-- its pairs as well, `matlake similar --within KEY` those within its material.
--
-- grid_id            : the grid of both fingerprints
-- left_id, right_id  : the two calculations, in alphabetical order
-- similarity         : Tanimoto coefficient of their fingerprints
-- aligned_similarity : the best one over small shifts of the energies; null = not asked for, or known of the
--                      representatives alone: densities with equal fingerprints may differ once they are shifted
-- aligned_shift_ev   : the shift of right against left that gives it (eV); 0 where the fingerprints are equal
-- pair_kind          : listed, identical (one of them is as an equal one, or they equal each other) or near
with equal as (
    select
        grid_id,
        calculation_id,
        representative_id
    from similarity_groups
    where group_kind = 'identical'
),

-- Equal ones and, as a member of its own group, the representative.
members as (
    select
        grid_id,
        calculation_id,
        representative_id
    from equal
    union all
    select distinct
        grid_id,
        representative_id as calculation_id,
        representative_id as own_id
    from equal
),

listed as (
    select
        pairs.grid_id,
        coalesce(one.calculation_id, pairs.left_id) as one_id,
        coalesce(other.calculation_id, pairs.right_id) as other_id,
        pairs.similarity,
        pairs.aligned_similarity,
        pairs.aligned_shift_ev,
        one_id = pairs.left_id and other_id = pairs.right_id as as_listed
    from similarities as pairs
    left join members as one on pairs.grid_id = one.grid_id and pairs.left_id = one.representative_id
    left join members as other on pairs.grid_id = other.grid_id and pairs.right_id = other.representative_id
),

everything as (
    select
        grid_id,
        one_id,
        other_id,
        similarity,
        case when as_listed then aligned_similarity end as aligned_similarity,
        case when as_listed then aligned_shift_ev end as aligned_shift_ev,
        case when as_listed then 'listed' else 'identical' end as pair_kind
    from listed
    union all
    -- No shift makes equal fingerprints more similar than they are.
    select
        one.grid_id,
        one.calculation_id as one_id,
        other.calculation_id as other_id,
        1.0 as similarity,
        case when runs.aligned then 1.0 end as aligned_similarity,
        case when runs.aligned then 0.0 end as aligned_shift_ev,
        'identical' as pair_kind
    from members as one
    inner join members as other
        on
            one.grid_id = other.grid_id
            and one.representative_id = other.representative_id
            and one.calculation_id < other.calculation_id
    left join similarity_runs as runs on one.grid_id = runs.grid_id
    union all
    select
        folded.grid_id,
        folded.calculation_id as one_id,
        coalesce(members.calculation_id, folded.representative_id) as other_id,
        folded.similarity,
        null as aligned_similarity,
        null as aligned_shift_ev,
        'near' as pair_kind
    from similarity_groups as folded
    left join members
        on folded.grid_id = members.grid_id and folded.representative_id = members.representative_id
    where folded.group_kind = 'near'
)

select
    grid_id,
    least(one_id, other_id) as left_id,
    greatest(one_id, other_id) as right_id,
    similarity,
    aligned_similarity,
    aligned_shift_ev,
    pair_kind
from everything
