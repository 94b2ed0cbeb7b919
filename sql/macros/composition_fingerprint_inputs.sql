-- What fingerprints of compositions are made from: one row per calculation.
--
-- method : digest of the grid, which is a part of input_sha256
--
-- Columns: calculation_id, source, formula_reduced, input_sha256 (differs where the fingerprint has to be made again).
create or replace macro composition_fingerprint_inputs(method) as table
    select
        calculation_id,
        source,
        formula_reduced,
        sha256(method || ' ' || coalesce(formula_reduced, '')) as input_sha256
    from calculations
