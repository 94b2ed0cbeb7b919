-- Whether a row's crystal is whole: three lattice vectors, and as many positions as species, all of them numbers.
--
-- lattice_vectors, positions : lists of three numbers each; species : a list of symbols
create or replace macro usable_structure(lattice_vectors, positions, species) as
coalesce(
    len(lattice_vectors) = 3
    and len(species) > 0
    and len(positions) = len(species)
    and len(list_filter(lattice_vectors, lambda v: len(v) is distinct from 3)) = 0
    and len(list_filter(positions, lambda v: len(v) is distinct from 3)) = 0
    and len(list_filter(flatten(lattice_vectors), lambda x: x is null or not isfinite(x))) = 0
    and len(list_filter(flatten(positions), lambda x: x is null or not isfinite(x))) = 0
    and len(list_filter(species, lambda s: s is null)) = 0,
    false
)
