-- Which formation energies does their own total energy contradict?
--
-- Within one source, reference, functional and +U, total minus formation energy (eV/atom) is a sum of x_e
-- · mu_e over the elements, whatever the structure. A robust fit finds the mu_e; a row far from it has a
-- wrong formation energy or a wrong total energy. This text lists the rows with both energies, the fit is
-- the step named below.
--
-- step analytics.energy_contradictions
--
-- param tolerance_ev_per_atom double = 0.02 : smaller contradictions are let pass (eV/atom)
-- param sigmas double = 8 : and so are those below this many robust standard deviations of the fit
-- param at_least integer = 5 : rows with an element that is in fewer rows cannot be checked
--
-- column source : database
-- column calculation_id : the row
-- column formula_reduced : its formula
-- column formation_energy_reference : reference of its formation energy
-- column energy_functional : functional; null = unknown
-- column total_energy_ev_per_atom : its total energy (eV/atom)
-- column formation_energy_ev_per_atom : its formation energy (eV/atom)
-- column expected_formation_energy_ev_per_atom : total energy less the fitted references (eV/atom)
-- column residual_ev_per_atom : stated minus expected formation energy (eV/atom)
-- column threshold_ev_per_atom : how large a residual is let pass in this group of rows (eV/atom)
-- column n_rows_fitted : rows of the group
select
    source,
    coalesce(formation_energy_reference, '') as reference_group,
    coalesce(energy_functional, '') as functional_group,
    -- Unknown counts as none, which is by far the more frequent.
    coalesce(plus_u, 'none') as plus_u_group,
    calculation_id,
    formula_reduced,
    formation_energy_reference,
    energy_functional,
    total_energy_ev_per_atom,
    formation_energy_ev_per_atom
from calculation_traits
where
    total_energy_ev_per_atom is not null
    and formation_energy_ev_per_atom is not null
    and formula_reduced is not null
order by source, calculation_id
