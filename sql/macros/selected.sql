-- The calculations that may be compared: the filters of the paper, in one place for every query.
--
-- functional               : functional to keep, 'any' = all; compared where it is known
-- unknown_functional       : 'keep' or 'drop' rows whose functional is unknown
-- functional_of            : 'energy' or 'gap': whose functional is meant
-- require_formation_energy : whether rows without formation energy are dropped
-- require_band_gap         : whether rows without band gap are dropped
-- include_deprecated       : whether rows that their source has withdrawn are kept
--
-- Columns: those of calculation_traits, and functional_unknown (boolean).
create or replace macro selected(
    functional,
    unknown_functional,
    functional_of,
    require_formation_energy,
    require_band_gap,
    include_deprecated
) as table
    select
        *,
        if(functional_of = 'gap', gap_functional, energy_functional) is null as functional_unknown
    from calculation_traits
    where
        coalesce(
            functional = 'any'
            or if(functional_of = 'gap', gap_functional, energy_functional) = lower(functional),
            true
        )
        and case
            when unknown_functional = 'keep' then true
            when functional_of = 'gap' then gap_functional is not null
            else energy_functional is not null
        end
        and (formation_energy_ev_per_atom is not null or not require_formation_energy)
        and (band_gap_ev is not null or not require_band_gap)
        and (include_deprecated or not coalesce(deprecated, false))
