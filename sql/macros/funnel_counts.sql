-- How far do rows and materials come through a funnel?
--
-- relation : name of a table with source, material_key, left_at (number of the step that left the row out;
--            null = still in)
--
-- Columns: what ('rows' or 'materials'), source ('*' = all databases together), stage (the step at which they
-- end; null = still in), n. A material comes as far as the farthest of its rows.
create or replace macro funnel_counts(relation) as table
    with ends as (
        select
            source,
            material_key,
            coalesce(left_at, 2147483647) as stage,
            count(*) as n_rows
        from query_table(relation)
        group by source, material_key, stage
    ),

    materials as (
        select
            coalesce(source, '*') as source,
            material_key,
            max(stage) as stage
        from ends
        where material_key is not null
        group by grouping sets ((source, material_key), (material_key))
    ),

    counted as (
        select
            'rows' as what,
            source,
            stage,
            cast(sum(n_rows) as bigint) as n
        from ends
        group by source, stage
        union all
        select
            'materials' as what,
            source,
            stage,
            count(*) as n
        from materials
        group by source, stage
    )

    select
        what,
        source,
        nullif(stage, 2147483647) as stage,
        n
    from counted
    order by what, source, stage
