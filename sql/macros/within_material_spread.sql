-- How far apart are the values of one material, before and after a choice?
--
-- relation : name of a table of values: quantity, stage, source, material_key, value (no nulls)
--
-- Columns: quantity, stage, n_materials (those with two values or more), n_rows (their values), and over
-- these materials the medians of: range (largest minus smallest), mad (median absolute deviation from the
-- material's median), iqr (interquartile range); median_range_low and median_range_high are the 95 %
-- bootstrap interval of the median range, null below 6 materials: fewer cannot bound a median with 95 %.
create or replace macro within_material_spread(relation) as table
    with materials as (
        select
            quantity,
            stage,
            material_key,
            count(*) as n_rows,
            max(value) - min(value) as spread,
            mad(value) as deviation,
            quantile_cont(value, 0.75) - quantile_cont(value, 0.25) as quartiles
        from query_table(relation)
        group by quantity, stage, material_key
        having count(*) > 1
    ),

    summed as (
        select
            quantity,
            stage,
            count(*) as n_materials,
            cast(sum(n_rows) as bigint) as n_rows,
            median(spread) as median_range,
            median(deviation) as median_mad,
            median(quartiles) as median_iqr,
            list(spread order by spread) as sorted
        from materials
        group by quantity, stage
    )

    select
        * exclude (sorted),
        if(n_materials >= 6, sorted[median_interval_place(n_materials)], null) as median_range_low,
        if(n_materials >= 6, sorted[n_materials + 1 - median_interval_place(n_materials)], null) as median_range_high
    from summed
    order by quantity, stage
