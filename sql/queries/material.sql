-- Which calculations of one material are there, with which settings, and which of them have a fingerprint?
--
-- One row per calculation. Similarity within a material (`matlake similar --within`, `matlake convergence`) is
-- computed between the rows without a reason.
--
-- param key varchar = 'any' : cell_key or reduced_key of the material; any = every calculation
-- param grid varchar = 'dos-reference' : grid of the fingerprints
--
-- column calculation_id : <source>/<id in that source>
-- column source : database
-- column cell_key : formula of the cell and space group
-- column reduced_key : reduced formula and space group
-- column collection : part of the source
-- column deprecated : whether the source has withdrawn the record
-- column n_sites : atoms in the cell
-- column xc_functional : functional of the density of states where it is known, else of the calculation
-- column hubbard_u_ev : effective +U by element; empty = none, null = unknown (eV)
-- column code : simulation program
-- column code_version : version of the program
-- column basis_set : kind of basis
-- column cutoff_ev : plane-wave cutoff (eV)
-- column n_basis_functions : number of basis functions
-- column k_grid : k-point mesh
-- column n_k_points : number of k-points
-- column k_point_density_angstrom : smallest n_i·a_i over the mesh (Å)
-- column pseudopotentials : names of the pseudopotentials or PAW sets
-- column core_treatment : full all electron, pseudopotential, …
-- column relativity : relativistic treatment
-- column spin_polarized : whether spins were free
-- column settings_tier : named level of precision
-- column formation_energy_ev_per_atom : formation energy (eV/atom)
-- column formation_energy_functional : functional behind it
-- column band_gap_ev : band gap (eV)
-- column band_gap_functional : functional behind it
-- column has_dos : whether the lake holds a density of states of it
-- column reference_level : what 0 eV is in its fingerprint
-- column energy_step_ev : spacing of the density behind its fingerprint (eV)
-- column broadening_ev : broadening of that density (eV)
-- column reason : why it has no fingerprint; not_fingerprinted = none was made so far; null = it has one
-- column message : the reason in words
-- The conditions on the members let the files be skipped that hold none of them, which a left join does not.
with members as (
    select *
    from calculations
    where $key = 'any' or cell_key = $key or reduced_key = $key
),

made as (
    select
        calculation_id,
        reference_level,
        energy_step_ev,
        broadening_ev,
        reason,
        message
    from fingerprints
    where grid_id = $grid and calculation_id in (select members.calculation_id from members)
),

densities as (
    select
        calculation_id,
        source,
        xc_functional
    from dos
    where calculation_id in (select members.calculation_id from members)
)

select
    members.calculation_id,
    members.source,
    members.cell_key,
    members.reduced_key,
    members.collection,
    members.deprecated,
    members.n_sites,
    coalesce(densities.xc_functional, members.xc_functional) as xc_functional,
    members.hubbard_u_ev,
    members.code,
    members.code_version,
    members.basis_set,
    members.cutoff_ev,
    members.n_basis_functions,
    members.k_grid,
    members.n_k_points,
    members.k_point_density_angstrom,
    members.pseudopotentials,
    members.core_treatment,
    members.relativity,
    members.spin_polarized,
    members.settings_tier,
    members.formation_energy_ev_per_atom,
    members.formation_energy_functional,
    members.band_gap_ev,
    members.band_gap_functional,
    densities.calculation_id is not null as has_dos,
    made.reference_level,
    made.energy_step_ev,
    made.broadening_ev,
    if(made.calculation_id is null, 'not_fingerprinted', made.reason) as reason,
    made.message
from members
left join densities
    on members.calculation_id = densities.calculation_id and members.source = densities.source
left join made on members.calculation_id = made.calculation_id
order by members.calculation_id
