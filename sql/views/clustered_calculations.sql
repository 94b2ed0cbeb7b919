-- calculations, with the cluster that each of them is in: one row per calculation, grid, method and threshold
-- of `matlake cluster`.
--
-- grid_id              : the grid of the fingerprints
-- method               : greedy or components
-- threshold            : similarity from which two calculations are neighbours
-- cluster              : number of the cluster, the largest first; -1 = single
-- center_id            : the calculation at its centre; null = single, or a component
-- similarity_to_center : Tanimoto coefficient with the centre; null = not listed
-- n_members            : calculations in the cluster
select
    calculations.*,
    clusters.grid_id,
    clusters.method,
    clusters.threshold,
    clusters.cluster,
    clusters.center_id,
    clusters.similarity_to_center,
    clusters.n_members
from calculations
inner join clusters on calculations.calculation_id = clusters.calculation_id
