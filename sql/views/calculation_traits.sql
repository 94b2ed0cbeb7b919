-- calculations, with what comparisons between databases need to know about every row.
--
-- energy_functional : functional behind the formation energy, else that of the calculation; null = unknown
-- gap_functional    : functional behind the band gap, else that of the calculation; null = unknown
-- plus_u            : 'none', '+U', or null = unknown
-- anion_class       : by the most electronegative non-metal (Pauling: F, O, Cl, N, Br, I, S, Se, C,
--                     H, P, As, Te, B, Si); 'intermetallic' has none of them, 'element' is one element alone
select
    *,
    lower(coalesce(formation_energy_functional, xc_functional)) as energy_functional,
    lower(coalesce(band_gap_functional, xc_functional)) as gap_functional,
    case when cardinality(hubbard_u_ev) = 0 then 'none' when cardinality(hubbard_u_ev) > 0 then '+U' end
        as plus_u,
    case
        when elements is null then null
        when len(elements) = 1 then 'element'
        when list_contains(elements, 'F') then 'halide'
        when list_contains(elements, 'O') then 'oxide'
        when list_contains(elements, 'Cl') then 'halide'
        when list_contains(elements, 'N') then 'nitride'
        when list_has_any(elements, ['Br', 'I']) then 'halide'
        when list_has_any(elements, ['S', 'Se']) then 'chalcogenide'
        when list_contains(elements, 'C') then 'carbide'
        when list_contains(elements, 'H') then 'hydride'
        when list_has_any(elements, ['P', 'As']) then 'pnictide'
        when list_contains(elements, 'Te') then 'chalcogenide'
        when list_contains(elements, 'B') then 'boride'
        when list_contains(elements, 'Si') then 'silicide'
        else 'intermetallic'
    end as anion_class
from calculations
