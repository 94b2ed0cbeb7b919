-- What fingerprints of structures are made from: one row per calculation.
--
-- method : digest of the grid, which is a part of input_sha256
--
-- Columns: calculation_id, source, formula_reduced, input_sha256 (differs where the fingerprint has to be made again:
-- not where a record only got another energy).
create or replace macro structure_fingerprint_inputs(method) as table
    select
        calculation_id,
        source,
        formula_reduced,
        sha256(
            method || ' ' || coalesce(cast(lattice_vectors_angstrom as varchar), '') || ' '
            || coalesce(cast(fractional_positions as varchar), '') || ' '
            || coalesce(cast(species_at_sites as varchar), '')
        ) as input_sha256
    from calculations
