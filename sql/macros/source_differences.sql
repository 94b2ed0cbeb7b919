-- Formation energies of one database minus those of another, for the materials that both have.
--
-- relation  : name of a table with source, material_key, formula_reduced, formation_energy_ev_per_atom
-- of_source : the database that is subtracted; to_source : the one that it is subtracted from
--
-- A material's energy is its median within a database. Columns: material_key, formula_reduced,
-- difference_ev_per_atom.
create or replace macro source_differences(relation, of_source, to_source) as table
    with materials as (
        select
            source,
            material_key,
            min(formula_reduced) as formula_reduced,
            median(formation_energy_ev_per_atom) as energy
        from query_table(relation)
        where formation_energy_ev_per_atom is not null and formula_reduced is not null
        group by source, material_key
    )

    select
        l.material_key,
        l.formula_reduced,
        r.energy - l.energy as difference_ev_per_atom
    from materials as l
    inner join materials as r on l.material_key = r.material_key
    where l.source = of_source and r.source = to_source
    order by l.material_key
