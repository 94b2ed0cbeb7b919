-- Which materials does a database hold many times, and how far are their values spread?
--
-- One row per source and key, the most frequent first. All functionals are taken by default, as this is
-- about what a database holds; functionals says which a spread is from.
--
-- param key_kind varchar = 'cell_key' [cell_key|reduced_key] : what makes two rows the same material
-- param at_least integer = 2 : rows that a key must have within the source
-- param limit integer = 100 : most rows of the answer
-- param functional varchar = 'any' : functional of the formation energy to keep where it is known; any = all
-- param unknown_functional varchar = 'keep' [keep|drop] : what happens to rows of unknown functional
-- param require_formation_energy boolean = false : drop rows without formation energy
-- param require_band_gap boolean = false : drop rows without band gap
-- param include_deprecated boolean = false : keep rows that their source has withdrawn
--
-- column source : database
-- column material_key : the key
-- column n_rows : rows of the source that have it
-- column n_formation_energies : rows of these with a formation energy
-- column n_band_gaps : rows of these with a band gap
-- column functionals : functionals among them, as far as known
-- column unknown_functional_rows : rows whose functional is not known
-- column minimum_volume_angstrom3_per_atom : smallest volume per atom (Å³/atom)
-- column median_volume_angstrom3_per_atom : median volume per atom (Å³/atom)
-- column maximum_volume_angstrom3_per_atom : largest volume per atom (Å³/atom)
-- column standard_deviation_volume_angstrom3_per_atom : standard deviation of the volume per atom (Å³/atom)
-- column mad_volume_angstrom3_per_atom : median absolute deviation of the volume per atom (Å³/atom)
-- column minimum_lattice_volume_angstrom3 : smallest volume of the cell (Å³)
-- column median_lattice_volume_angstrom3 : median volume of the cell (Å³)
-- column maximum_lattice_volume_angstrom3 : largest volume of the cell (Å³)
-- column standard_deviation_lattice_volume_angstrom3 : standard deviation of the volume of the cell (Å³)
-- column mad_lattice_volume_angstrom3 : median absolute deviation of the volume of the cell (Å³)
-- column minimum_formation_energy_ev_per_atom : smallest formation energy (eV/atom)
-- column median_formation_energy_ev_per_atom : median formation energy (eV/atom)
-- column maximum_formation_energy_ev_per_atom : largest formation energy (eV/atom)
-- column standard_deviation_formation_energy_ev_per_atom : standard deviation of the formation energy
--       (eV/atom)
-- column mad_formation_energy_ev_per_atom : median absolute deviation of the formation energy (eV/atom)
-- column minimum_band_gap_ev : smallest band gap (eV)
-- column median_band_gap_ev : median band gap (eV)
-- column maximum_band_gap_ev : largest band gap (eV)
-- column standard_deviation_band_gap_ev : standard deviation of the band gap (eV)
-- column mad_band_gap_ev : median absolute deviation of the band gap (eV)
-- column range_formation_energy_ev_per_atom : largest minus smallest formation energy (eV/atom)
-- column range_band_gap_ev : largest minus smallest band gap (eV)
with chosen as (
    select
        source,
        if($key_kind = 'cell_key', cell_key, reduced_key) as material_key,
        energy_functional,
        functional_unknown,
        volume_angstrom3_per_atom,
        volume_angstrom3_per_atom * n_sites as lattice_volume_angstrom3,
        formation_energy_ev_per_atom,
        band_gap_ev
    from
        selected(
            $functional, $unknown_functional, 'energy',
            $require_formation_energy, $require_band_gap, $include_deprecated
        )
)

select
    source,
    material_key,
    count(*) as n_rows,
    count(formation_energy_ev_per_atom) as n_formation_energies,
    count(band_gap_ev) as n_band_gaps,
    list_sort(coalesce(list(distinct energy_functional) filter (where energy_functional is not null), []))
        as functionals,
    count(*) filter (where functional_unknown) as unknown_functional_rows,
    min(volume_angstrom3_per_atom) as minimum_volume_angstrom3_per_atom,
    median(volume_angstrom3_per_atom) as median_volume_angstrom3_per_atom,
    max(volume_angstrom3_per_atom) as maximum_volume_angstrom3_per_atom,
    stddev_samp(volume_angstrom3_per_atom) as standard_deviation_volume_angstrom3_per_atom,
    mad(volume_angstrom3_per_atom) as mad_volume_angstrom3_per_atom,
    min(lattice_volume_angstrom3) as minimum_lattice_volume_angstrom3,
    median(lattice_volume_angstrom3) as median_lattice_volume_angstrom3,
    max(lattice_volume_angstrom3) as maximum_lattice_volume_angstrom3,
    stddev_samp(lattice_volume_angstrom3) as standard_deviation_lattice_volume_angstrom3,
    mad(lattice_volume_angstrom3) as mad_lattice_volume_angstrom3,
    min(formation_energy_ev_per_atom) as minimum_formation_energy_ev_per_atom,
    median(formation_energy_ev_per_atom) as median_formation_energy_ev_per_atom,
    max(formation_energy_ev_per_atom) as maximum_formation_energy_ev_per_atom,
    stddev_samp(formation_energy_ev_per_atom) as standard_deviation_formation_energy_ev_per_atom,
    mad(formation_energy_ev_per_atom) as mad_formation_energy_ev_per_atom,
    min(band_gap_ev) as minimum_band_gap_ev,
    median(band_gap_ev) as median_band_gap_ev,
    max(band_gap_ev) as maximum_band_gap_ev,
    stddev_samp(band_gap_ev) as standard_deviation_band_gap_ev,
    mad(band_gap_ev) as mad_band_gap_ev,
    max(formation_energy_ev_per_atom) - min(formation_energy_ev_per_atom)
        as range_formation_energy_ev_per_atom,
    max(band_gap_ev) - min(band_gap_ev) as range_band_gap_ev
from chosen
where material_key is not null
group by source, material_key
having count(*) >= $at_least
order by n_rows desc, source asc, material_key asc
limit $limit
