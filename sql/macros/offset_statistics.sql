-- What the differences of paired_materials amount to, per pair of sources and group; its arguments.
--
-- The interval of the median is that of the percentile bootstrap with endlessly many resamples: the median
-- of a resample stands at place n·u of the sorted differences, u being Beta((n+1)/2, (n+1)/2) (Efron 1979;
-- Maritz and Jarrett 1978). Its 2.5 % point is taken by Cornish and Fisher's expansion, good to a place
-- for every n. No random numbers: the same table gives the same interval.
create or replace macro offset_statistics(
    value_name, by_name, key_name,
    functional,
    unknown_functional,
    functional_of,
    require_formation_energy,
    require_band_gap,
    include_deprecated
) as table
    with grouped as (
        select
            left_source,
            right_source,
            left_group,
            right_group,
            count(*) as n,
            median(difference) as median,
            mad(difference) as mad,
            avg(difference) as mean,
            stddev_samp(difference) as standard_deviation,
            quantile_cont(difference, [0.05, 0.25, 0.75, 0.95]) as quantiles,
            list(difference order by difference) as sorted,
            cast(sum(left_rows) as bigint) as left_rows,
            cast(sum(right_rows) as bigint) as right_rows,
            cast(sum(left_unknown_functional_rows) as bigint) as left_unknown_functional_rows,
            cast(sum(right_unknown_functional_rows) as bigint) as right_unknown_functional_rows
        from
            paired_materials(
                value_name, by_name, key_name, functional, unknown_functional, functional_of,
                require_formation_energy, require_band_gap, include_deprecated
            )
        group by left_source, right_source, left_group, right_group
    ),

    placed as (
        select
            *,
            cast(greatest(
                1,
                ceil(
                    n
                    * (0.5 - (1.959964 - (1.959964 ** 3 - 3 * 1.959964) / (4 * (n + 4))) / (2 * sqrt(n + 2)))
                )
            ) as bigint) as low_place
        from grouped
    )

    select
        * exclude (sorted, quantiles, low_place),
        quantiles[1] as q05,
        quantiles[2] as q25,
        quantiles[3] as q75,
        quantiles[4] as q95,
        sorted[low_place] as median_low,
        sorted[n + 1 - low_place] as median_high
    from placed
