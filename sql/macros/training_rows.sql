-- The calculations that a model may learn from: all of them, or the members of one version of a subset.
--
-- subset_name, subset_version : the subset; null = all calculations but those that their source has withdrawn
-- withdrawn : true = these as well
-- key_kind : 'reduced_key' or 'cell_key': what makes two rows the same material
-- seed, train, validation : see seeded_split
--
-- Columns: those of calculation_traits, and
-- material_key : the material, by key_kind
-- split : 'train', 'validation' or 'test'; null where there is no key
-- level_formation_energy_ev_per_atom : formation energy on the subset's level (eV/atom); without a subset its own
create or replace macro training_rows(
    subset_name,
    subset_version,
    withdrawn,
    key_kind,
    seed,
    train,
    validation
) as table
    with members as (
        select
            calculation_id,
            formation_energy_ev_per_atom as level_energy
        from subset_members
        where subset = subset_name and version = subset_version
    ),

    keyed as (
        select
            traits.*,
            if(key_kind = 'cell_key', traits.cell_key, traits.reduced_key) as material_key,
            if(subset_name is null, traits.formation_energy_ev_per_atom, members.level_energy)
                as level_formation_energy_ev_per_atom
        from calculation_traits as traits
        left join members on traits.calculation_id = members.calculation_id
        where
            if(
                subset_name is null,
                withdrawn or not coalesce(traits.deprecated, false),
                members.calculation_id is not null
            )
    )

    select
        *,
        case when material_key is not null then seeded_split(material_key, seed, train, validation) end as split
    from keyed
