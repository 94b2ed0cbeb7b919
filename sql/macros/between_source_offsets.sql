-- How far are two databases apart, before and after a choice?
--
-- relation : name of a table of values: quantity, stage, source, material_key, value (no nulls)
--
-- A material's value is its median within a source; the offset is right minus left over the materials that
-- both have. Columns: quantity, stage, left_source and right_source (alphabetical), n_materials, median,
-- median_low and median_high (95 % bootstrap interval; null below 6 materials, as fewer
-- cannot bound a median with 95 %), mad (median absolute deviation from the median).
create or replace macro between_source_offsets(relation) as table
    with materials as (
        select
            quantity,
            stage,
            source,
            material_key,
            median(value) as value
        from query_table(relation)
        group by quantity, stage, source, material_key
    ),

    summed as (
        select
            l.quantity,
            l.stage,
            l.source as left_source,
            r.source as right_source,
            count(*) as n_materials,
            median(r.value - l.value) as median,
            mad(r.value - l.value) as mad,
            list(r.value - l.value order by r.value - l.value) as sorted
        from materials as l
        inner join materials as r
            on
                l.quantity = r.quantity
                and l.stage = r.stage
                and l.material_key = r.material_key
                and l.source < r.source
        group by l.quantity, l.stage, l.source, r.source
    )

    select
        * exclude (sorted),
        if(n_materials >= 6, sorted[median_interval_place(n_materials)], null) as median_low,
        if(n_materials >= 6, sorted[n_materials + 1 - median_interval_place(n_materials)], null) as median_high
    from summed
    order by quantity, stage, left_source, right_source
