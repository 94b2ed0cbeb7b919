-- Which calculations of a material were done with the +U that most of its databases used?
--
-- relation : name of a table with calculation_id, source, material_key, hubbard_u_ev
--
-- Values of +U are the same if they agree for every element to 0.01 eV. Of a material's different ones, that of
-- most databases is kept; then that of most calculations; then none; then the first by its spelling.
--
-- Columns: calculation_id, plus_u_value ('' = none; null = unknown), kept (null where it is unknown).
create or replace macro same_plus_u(relation) as table
    with spelled as (
        select
            calculation_id,
            source,
            material_key,
            if(
                hubbard_u_ev is null, null,
                array_to_string(
                    list_sort([e.key || '=' || cast(round(e.value, 2) as varchar) for e in map_entries(hubbard_u_ev)]),
                    ','
                )
            ) as plus_u_value
        from query_table(relation)
    ),

    counted as (
        select
            material_key,
            plus_u_value,
            row_number() over (
                partition by material_key
                order by count(distinct source) desc, count(*) desc, plus_u_value = '' desc, plus_u_value asc
            ) as place
        from spelled
        where plus_u_value is not null
        group by material_key, plus_u_value
    )

    select
        spelled.calculation_id,
        spelled.plus_u_value,
        counted.place = 1 as kept
    from spelled
    left join counted
        on
            spelled.material_key = counted.material_key
            and spelled.plus_u_value = counted.plus_u_value
    order by spelled.calculation_id
