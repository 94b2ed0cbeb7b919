-- Is the offset between two databases a sum over elements?
--
-- The offset of a material (right minus left, eV/atom) is fitted as the sum of x_e · delta_e over its
-- elements, x_e being the fraction of atoms: what different elemental references would give. This text
-- lists the materials that two sources have in common; the robust fit (Huber) is the step named below, so
-- a plain DuckDB client sees the materials and not the fit.
--
-- step analytics.element_offsets
--
-- param key_kind varchar = 'cell_key' [cell_key|reduced_key] : what makes two rows the same material
-- param at_least integer = 5 : an element in fewer materials is not fitted, and its materials are set aside
-- param folds integer = 5 : parts of the cross-validation
-- param functional varchar = 'pbe' : functional of the formation energy to keep where it is known; any = all
-- param unknown_functional varchar = 'keep' [keep|drop] : what happens to rows of unknown functional
-- param require_formation_energy boolean = true : drop rows without formation energy
-- param require_band_gap boolean = true : drop rows without band gap
-- param include_deprecated boolean = false : keep rows that their source has withdrawn
--
-- column left_source : the source that is first in the alphabet
-- column right_source : the other one
-- column element : element symbol; * is the row about all elements together
-- column status : fitted; too_few materials; not_separable (only ever seen in fixed proportion to others);
--       summary
-- column n_materials : common materials that contain the element
-- column n_materials_fitted : those in the fit
-- column delta_ev_per_atom : fitted offset per atom of the element (eV/atom)
-- column standard_error_ev_per_atom : its standard error (eV/atom), robust against unequal scatter
-- column n_materials_set_aside : materials left out because one of their elements is in too few
-- column median_before_ev_per_atom : median offset of the fitted materials (eV/atom)
-- column mad_before_ev_per_atom : median absolute deviation of the offsets from their median (eV/atom)
-- column mad_after_ev_per_atom : the same after the correction (eV/atom)
-- column standard_deviation_before_ev_per_atom : standard deviation of the offsets (eV/atom)
-- column standard_deviation_after_ev_per_atom : the same after the correction (eV/atom)
-- column mae_before_ev_per_atom : mean absolute offset (eV/atom)
-- column mae_after_ev_per_atom : mean absolute offset after the correction (eV/atom)
-- column mae_after_cross_validated_ev_per_atom : the same, every material corrected by a fit that left it out
-- column explained_fraction : 1 − mae_after / mae_before: the part that elemental references explain
-- column explained_fraction_cross_validated : the same from the cross-validated error; 0 or less = nothing
--       explained
-- column left_unknown_functional_rows : rows of the fitted materials on the left whose functional is not
--       known
-- column right_unknown_functional_rows : those on the right
select
    left_source,
    right_source,
    material_key,
    formula_reduced,
    difference as difference_ev_per_atom,
    left_unknown_functional_rows,
    right_unknown_functional_rows
from
    paired_materials(
        'formation_energy_ev_per_atom', 'all', $key_kind,
        $functional, $unknown_functional, 'energy',
        $require_formation_energy, $require_band_gap, $include_deprecated
    )
order by left_source, right_source, material_key
