-- Materials that two sources have in common, one row per pair of sources, key and group.
--
-- value_name : numeric column to compare; a material's value is its median within the source (and group)
-- by_name    : 'all', 'element' (a material counts under each of its elements), or a column of
--              calculation_traits; short: 'hubbard_u' = plus_u, 'cutoff' = cutoff_ev,
--              'pseudopotential' = pseudopotentials
-- key_name   : 'cell_key' or 'reduced_key'
-- the others : see selected
--
-- Columns: left_source, right_source (alphabetical), material_key, left_group and right_group ('unknown'
-- where the
-- column is null), left_value, right_value, difference (right minus left), formula_reduced, and per side
--       the rows
-- and the rows whose functional is unknown.
create or replace macro paired_materials(
    value_name, by_name, key_name,
    functional,
    unknown_functional,
    functional_of,
    require_formation_energy,
    require_band_gap,
    include_deprecated
) as table
    with chosen as (
        select
            source,
            formula_reduced,
            elements,
            functional_unknown,
            columns(lambda c: c = key_name) as material_key,
            columns(lambda c: c = value_name) as material_value,
            cast(columns(
                lambda c: c = case by_name
                    when 'all' then 'source'
                    when 'element' then 'source'
                    when 'hubbard_u' then 'plus_u'
                    when 'cutoff' then 'cutoff_ev'
                    when 'pseudopotential' then 'pseudopotentials'
                    else by_name
                end
            ) as varchar) as column_value
        from
            selected(
                functional, unknown_functional, functional_of,
                require_formation_energy, require_band_gap, include_deprecated
            )
    ),

    materials as (
        select
            source,
            material_key,
            if(by_name in ('all', 'element'), 'all', coalesce(column_value, 'unknown')) as group_value,
            median(material_value) as material_value,
            min(formula_reduced) as formula_reduced,
            min(elements) as elements,
            count(*) as n_rows,
            count(*) filter (where functional_unknown) as n_unknown
        from chosen
        where material_key is not null and material_value is not null
        group by source, material_key, group_value
    ),

    pairs as (
        select
            l.source as left_source,
            r.source as right_source,
            l.material_key,
            l.group_value as left_group,
            r.group_value as right_group,
            l.material_value as left_value,
            r.material_value as right_value,
            l.formula_reduced,
            l.n_rows as left_rows,
            r.n_rows as right_rows,
            l.n_unknown as left_unknown_functional_rows,
            r.n_unknown as right_unknown_functional_rows,
            unnest(if(by_name = 'element', l.elements, [null])) as element
        from materials as l
        inner join materials as r on l.material_key = r.material_key and l.source < r.source
    )

    select
        left_source,
        right_source,
        material_key,
        coalesce(element, left_group) as left_group,
        coalesce(element, right_group) as right_group,
        left_value,
        right_value,
        right_value - left_value as difference,
        formula_reduced,
        left_rows,
        right_rows,
        left_unknown_functional_rows,
        right_unknown_functional_rows
    from pairs
