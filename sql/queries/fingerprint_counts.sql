-- How many calculations have a fingerprint, and why have the others none?
--
-- One row per grid, database and reason; a density of states without a row in `fingerprints` counts as
-- not_fingerprinted on every grid of densities of states.
--
-- column grid_id : the grid of the fingerprints
-- column kind : what they describe: dos, composition or structure
-- column source : database
-- column reason : why they were set aside; null = they have a fingerprint
-- column n_calculations : calculations
with grids_made as (
    select distinct
        grid_id,
        kind
    from fingerprints
),

missing as (
    select
        grids_made.grid_id,
        grids_made.kind,
        dos.source,
        dos.calculation_id
    from grids_made
    cross join dos
    anti join fingerprints
        on grids_made.grid_id = fingerprints.grid_id and dos.calculation_id = fingerprints.calculation_id
    where grids_made.kind = 'dos'
),

counted as (
    select
        grid_id,
        kind,
        source,
        reason,
        count(*) as n_calculations
    from fingerprints
    group by all
    union all
    select
        grid_id,
        kind,
        source,
        'not_fingerprinted' as reason,
        count(*) as n_calculations
    from missing
    group by all
)

select
    grid_id,
    kind,
    source,
    reason,
    n_calculations
from counted
order by grid_id asc, source asc, n_calculations desc, reason asc
