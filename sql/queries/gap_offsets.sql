-- How far are the band gaps of two databases apart, for the materials that both have?
--
-- Right minus left over the common keys, a material's value being its median within the source. One row
-- per pair of sources and group, the largest group first. Grouped by a setting, a material's value is its
-- median among the rows of one setting, and every setting of the left meets every setting of the right.
--
-- param by varchar = 'all'
--       [all|element|anion_class|hubbard_u|cutoff|pseudopotential|column:calculation_traits] :
--       how the materials are grouped; under element, a material counts once for each of its elements
-- param key_kind varchar = 'cell_key' [cell_key|reduced_key] : what makes two rows the same material
-- param at_least integer = 1 : leave groups of fewer materials out
-- param functional varchar = 'pbe' : functional of the band gap to keep where it is known; any = all
-- param unknown_functional varchar = 'keep' [keep|drop] : what happens to rows of unknown functional
-- param require_formation_energy boolean = true : drop rows without formation energy
-- param require_band_gap boolean = true : drop rows without band gap
-- param include_deprecated boolean = false : keep rows that their source has withdrawn
--
-- column left_source : the source that is first in the alphabet
-- column right_source : the other one
-- column left_group : value of the grouping on the left; unknown where the column is null
-- column right_group : value of the grouping on the right
-- column n_materials : common keys
-- column median_ev : median of right minus left (eV)
-- column median_low_ev : lower end of its 95 % bootstrap interval (eV)
-- column median_high_ev : upper end (eV)
-- column mad_ev : median absolute deviation from the median (eV)
-- column mean_ev : mean (eV)
-- column standard_deviation_ev : standard deviation of the sample (eV)
-- column q05_ev : 5 % of the materials are below (eV)
-- column q25_ev : 25 % of the materials are below (eV)
-- column q75_ev : 75 % of the materials are below (eV)
-- column q95_ev : 95 % of the materials are below (eV)
-- column left_rows : rows behind the materials on the left
-- column right_rows : rows behind the materials on the right
-- column left_unknown_functional_rows : those whose functional is not known
-- column right_unknown_functional_rows : those whose functional is not known
select
    left_source,
    right_source,
    left_group,
    right_group,
    n as n_materials,
    median as median_ev,
    median_low as median_low_ev,
    median_high as median_high_ev,
    mad as mad_ev,
    mean as mean_ev,
    standard_deviation as standard_deviation_ev,
    q05 as q05_ev,
    q25 as q25_ev,
    q75 as q75_ev,
    q95 as q95_ev,
    left_rows,
    right_rows,
    left_unknown_functional_rows,
    right_unknown_functional_rows
from
    offset_statistics(
        'band_gap_ev', $by, $key_kind,
        $functional, $unknown_functional, 'gap',
        $require_formation_energy, $require_band_gap, $include_deprecated
    )
where n >= $at_least
order by left_source asc, right_source asc, n desc, left_group asc, right_group asc
