-- The energies and gaps of all calculations of known material, and those of the ones that were chosen.
--
-- all_rows : name of a table with calculation_id, source, material_key (null = not known),
--            formation_energy_ev_per_atom, band_gap_ev
-- chosen   : name of a table with calculation_id, source, material_key, formation_energy_ev_per_atom
--
-- Columns: quantity, stage ('before' or 'after'), source, material_key, value (never null). Formation energies
-- after are those of the table of chosen ones, where a correction may have moved them.
create or replace macro values_before_and_after(all_rows, chosen) as table
    with listed as (
        select
            'before' as stage,
            source,
            material_key,
            formation_energy_ev_per_atom,
            band_gap_ev
        from query_table(all_rows)
        where material_key is not null
        union all
        select
            'after' as stage,
            c.source,
            c.material_key,
            c.formation_energy_ev_per_atom,
            a.band_gap_ev
        from query_table(chosen) as c
        inner join query_table(all_rows) as a on c.calculation_id = a.calculation_id
    )

    select
        'formation_energy_ev_per_atom' as quantity,
        stage,
        source,
        material_key,
        formation_energy_ev_per_atom as value
    from listed
    where formation_energy_ev_per_atom is not null
    union all
    select
        'band_gap_ev' as quantity,
        stage,
        source,
        material_key,
        band_gap_ev as value
    from listed
    where band_gap_ev is not null
