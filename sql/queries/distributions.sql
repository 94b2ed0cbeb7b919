-- How are formation energies distributed, over all rows and over the common materials?
--
-- The two panels of the paper's Figure 2. One row per source, kind of key, selection and bin that is not
-- empty.
--
-- param bin_width_ev_per_atom double = 0.1 : width of a bin (eV/atom)
-- param functional varchar = 'pbe' : functional of the formation energy to keep where it is known; any = all
-- param unknown_functional varchar = 'keep' [keep|drop] : what happens to rows of unknown functional
-- param require_formation_energy boolean = true : drop rows without formation energy
-- param require_band_gap boolean = true : drop rows without band gap
-- param include_deprecated boolean = false : keep rows that their source has withdrawn
--
-- column source : database
-- column other_source : the database that the materials are common with; null = all rows of the source
-- column key_kind : what makes a material common, cell_key or reduced_key; null = all rows of the source
-- column bin_low_ev_per_atom : lower edge of the bin (eV/atom), part of it
-- column bin_high_ev_per_atom : upper edge of the bin (eV/atom), not part of it
-- column n_rows : rows in the bin
-- column share_percent : of the rows of this source and selection
-- column unknown_functional_rows : rows in the bin whose functional is not known
with chosen as (
    select
        source,
        cell_key,
        reduced_key,
        functional_unknown,
        cast(floor(formation_energy_ev_per_atom / $bin_width_ev_per_atom) as bigint) as bin
    from
        selected(
            $functional, $unknown_functional, 'energy',
            $require_formation_energy, $require_band_gap, $include_deprecated
        )
    where formation_energy_ev_per_atom is not null
),

keyed as (
    select
        'cell_key' as key_kind,
        source,
        cell_key as material_key,
        bin,
        functional_unknown
    from chosen
    where cell_key is not null
    union all
    select
        'reduced_key' as key_kind,
        source,
        reduced_key as material_key,
        bin,
        functional_unknown
    from chosen
    where reduced_key is not null
),

held as (
    select distinct
        key_kind,
        source,
        material_key
    from keyed
),

picked as (
    select
        source,
        cast(null as varchar) as other_source,
        cast(null as varchar) as key_kind,
        bin,
        functional_unknown
    from chosen
    union all
    select
        keyed.source,
        held.source as other_source,
        keyed.key_kind,
        keyed.bin,
        keyed.functional_unknown
    from keyed
    inner join held
        on
            keyed.key_kind = held.key_kind
            and keyed.material_key = held.material_key
            and keyed.source != held.source
),

counted as (
    select
        source,
        other_source,
        key_kind,
        bin,
        count(*) as n_rows,
        count(*) filter (where functional_unknown) as unknown_functional_rows
    from picked
    group by source, other_source, key_kind, bin
)

select
    source,
    other_source,
    key_kind,
    bin * $bin_width_ev_per_atom as bin_low_ev_per_atom,
    (bin + 1) * $bin_width_ev_per_atom as bin_high_ev_per_atom,
    n_rows,
    100.0 * n_rows / sum(n_rows) over (partition by source, other_source, key_kind) as share_percent,
    unknown_functional_rows
from counted
order by source, other_source nulls first, key_kind nulls first, bin
