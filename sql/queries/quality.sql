-- What is wrong or doubtful in the lake?
--
-- Per source: rejects by reason, and what is suspicious. Every finding has one row with its count
-- (calculation_id is null) and, where single rows are meant, up to $examples rows that name them, the
-- worst first.
--
-- uses energy_contradictions
--
-- param examples integer = 10 : most rows named per source and finding
-- param tolerance_ev_per_atom double = 0.02 : smaller contradictions between energies are let pass (eV/atom)
-- param sigmas double = 8 : and so are those below this many robust standard deviations of the fit
-- param smallest_volume_angstrom3_per_atom double = 3 : below this a volume is called impossible (Å³/atom)
-- param largest_volume_angstrom3_per_atom double = 250 : above this, too: vacuum in the cell (Å³/atom)
-- param largest_formation_energy_ev_per_atom double = 5 : beyond ± this it is called extreme (eV/atom)
--
-- column source : database
-- column finding : rejected; energy_contradiction (formation energy against own total energy);
--       impossible_volume; extreme_formation_energy; gap_of_a_metal; spacegroup_disagreement;
--       unknown_functional; no_key
-- column subject : reason of the reject, or which functional, …; null = none
-- column n_rows : rows or records concerned; null in a row that names one
-- column calculation_id : the row named; null in a count
-- column value : what is suspicious about it, in the unit beside it
-- column unit : eV/atom, Å³/atom, eV, or null
-- column detail : in words
with rejected as (
    select
        source,
        'rejected' as finding,
        reason as subject,
        calculation_id,
        cast(null as double) as value,
        cast(null as varchar) as unit,
        message as detail,
        0.0 as badness
    from rejects
),

contradicting as (
    select
        source,
        'energy_contradiction' as finding,
        cast(null as varchar) as subject,
        calculation_id,
        residual_ev_per_atom as value,
        'eV/atom' as unit,
        'stated formation energy ' || round(formation_energy_ev_per_atom, 3) || ', from the total energy '
        || round(expected_formation_energy_ev_per_atom, 3) as detail,
        abs(residual_ev_per_atom) as badness
    from energy_contradictions
),

bad_volume as (
    select
        source,
        'impossible_volume' as finding,
        cast(null as varchar) as subject,
        calculation_id,
        volume_angstrom3_per_atom as value,
        'Å³/atom' as unit,
        formula_cell as detail,
        abs(ln(volume_angstrom3_per_atom / 20)) as badness
    from calculation_traits
    where
        volume_angstrom3_per_atom < $smallest_volume_angstrom3_per_atom
        or volume_angstrom3_per_atom > $largest_volume_angstrom3_per_atom
),

extreme_energy as (
    select
        source,
        'extreme_formation_energy' as finding,
        cast(null as varchar) as subject,
        calculation_id,
        formation_energy_ev_per_atom as value,
        'eV/atom' as unit,
        formula_cell as detail,
        abs(formation_energy_ev_per_atom) as badness
    from calculation_traits
    where abs(formation_energy_ev_per_atom) > $largest_formation_energy_ev_per_atom
),

gap_of_a_metal as (
    select
        source,
        'gap_of_a_metal' as finding,
        cast(null as varchar) as subject,
        calculation_id,
        band_gap_ev as value,
        'eV' as unit,
        'band_gap_type says metal' as detail,
        band_gap_ev as badness
    from calculation_traits
    where band_gap_type = 'metal' and band_gap_ev > 0.01
),

disagreeing as (
    select
        source,
        'spacegroup_disagreement' as finding,
        cast(null as varchar) as subject,
        calculation_id,
        cast(null as double) as value,
        cast(null as varchar) as unit,
        'source says ' || spacegroup_source || ', matlake finds ' || spacegroup_number as detail,
        0.0 as badness
    from calculation_traits
    where spacegroup_source != spacegroup_number
),

named as (
    from rejected
    union all
    from contradicting
    union all
    from bad_volume
    union all
    from extreme_energy
    union all
    from gap_of_a_metal
    union all
    from disagreeing
),

counted as (
    select
        source,
        finding,
        subject,
        count(*) as n_rows
    from named
    group by source, finding, subject
    union all
    select
        source,
        'unknown_functional' as finding,
        unnest(['of the formation energy', 'of the band gap', 'of the calculation']) as subject,
        unnest([
            count(*) filter (where formation_energy_ev_per_atom is not null and energy_functional is null),
            count(*) filter (where band_gap_ev is not null and gap_functional is null),
            count(*) filter (where xc_functional is null)
        ]) as n_rows
    from calculation_traits
    group by source
    union all
    select
        source,
        'no_key' as finding,
        if(lattice_vectors_angstrom is null, 'no structure', 'no space group found') as subject,
        count(*) as n_rows
    from calculation_traits
    where reduced_key is null
    group by source, subject
),

examples as (
    select *
    from named
    qualify row_number() over (
        partition by source, finding, subject
        order by badness desc, calculation_id asc, detail asc
    ) <= $examples
)

select
    source,
    finding,
    subject,
    n_rows,
    calculation_id,
    value,
    unit,
    detail
from (
    select
        source,
        finding,
        subject,
        n_rows,
        cast(null as varchar) as calculation_id,
        cast(null as double) as value,
        cast(null as varchar) as unit,
        cast(null as varchar) as detail,
        0.0 as badness
    from counted
    where n_rows > 0
    union all
    select
        source,
        finding,
        subject,
        cast(null as bigint) as n_rows,
        calculation_id,
        value,
        unit,
        detail,
        badness
    from examples
) as lines
order by
    source asc,
    finding asc,
    subject asc nulls first,
    n_rows is null,
    badness desc,
    calculation_id asc,
    detail asc
