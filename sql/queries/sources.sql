-- What is in the lake, database by database?
--
-- column source : database
-- column n_rows : calculations
-- column n_cell_keys : different cell keys among them
-- column n_reduced_keys : different reduced keys
-- column n_formation_energies : rows with a formation energy
-- column n_band_gaps : rows with a band gap
-- column n_total_energies : rows with a total energy
-- column n_structures : rows with a structure
-- column n_deprecated : rows that the source has withdrawn
-- column n_dos : densities of states
-- column n_rejects : records that could not be taken
-- column licenses : licences that the rows state, with their numbers of rows
-- column last_fetched_at : time of the newest reply (UTC)
with rows_of as (
    select
        source,
        count(*) as n_rows,
        count(distinct cell_key) as n_cell_keys,
        count(distinct reduced_key) as n_reduced_keys,
        count(formation_energy_ev_per_atom) as n_formation_energies,
        count(band_gap_ev) as n_band_gaps,
        count(total_energy_ev_per_atom) as n_total_energies,
        count(lattice_vectors_angstrom) as n_structures,
        count(*) filter (where deprecated) as n_deprecated,
        max(fetched_at) as last_fetched_at
    from calculations
    group by source
),

license_counts as (
    select
        source,
        coalesce(license, 'none stated') as license,
        count(*) as n_rows
    from calculations
    group by all
),

licenses as (
    select
        source,
        string_agg(license || ': ' || n_rows, ', ' order by n_rows desc, license asc) as licenses
    from license_counts
    group by source
),

dos_counts as (
    select
        source,
        count(*) as n_dos
    from dos
    group by source
),

reject_counts as (
    select
        source,
        count(*) as n_rejects
    from rejects
    group by source
),

names as (
    select source from rows_of
    union
    select source from dos_counts
    union
    select source from reject_counts
)

select
    names.source,
    coalesce(rows_of.n_rows, 0) as n_rows,
    coalesce(rows_of.n_cell_keys, 0) as n_cell_keys,
    coalesce(rows_of.n_reduced_keys, 0) as n_reduced_keys,
    coalesce(rows_of.n_formation_energies, 0) as n_formation_energies,
    coalesce(rows_of.n_band_gaps, 0) as n_band_gaps,
    coalesce(rows_of.n_total_energies, 0) as n_total_energies,
    coalesce(rows_of.n_structures, 0) as n_structures,
    coalesce(rows_of.n_deprecated, 0) as n_deprecated,
    coalesce(dos_counts.n_dos, 0) as n_dos,
    coalesce(reject_counts.n_rejects, 0) as n_rejects,
    licenses.licenses,
    rows_of.last_fetched_at
from names
left join rows_of on names.source = rows_of.source
left join licenses on names.source = licenses.source
left join dos_counts on names.source = dos_counts.source
left join reject_counts on names.source = reject_counts.source
order by names.source
