-- Which settings and properties are known for how many rows of every database?
--
-- One row per source and column of calculations. An empty list or map is known: hubbard_u_ev = {} says
-- that no +U was used.
--
-- param column_pattern varchar = '%' : only columns whose name is like this (SQL: % any text, _ any character)
--
-- column source : database
-- column column_name : column of calculations
-- column n_rows : rows of the source
-- column known_rows : rows in which the column is not null
-- column known_percent : known_rows of n_rows
with counts as (
    select
        source,
        count(*) as n_rows,
        count(columns(* exclude (source)))
    from calculations
    group by source
),

long as (
    unpivot counts
    on columns(* exclude (source, n_rows))
    into name column_name value known_rows
)

select
    source,
    column_name,
    n_rows,
    known_rows,
    100.0 * known_rows / n_rows as known_percent
from long
where column_name like $column_pattern
order by source, column_name
