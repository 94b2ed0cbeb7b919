-- What fingerprints of densities of states are made from: one row per density of states of the lake.
--
-- method : digest of the grid and of the rules, which is a part of input_sha256
--
-- Columns: calculation_id, source, formula_reduced (null = the calculation is not known; it bounds the number of
-- electrons), input_sha256 (differs where the fingerprint has to be made again).
create or replace macro dos_fingerprint_inputs(method) as table
    select
        dos.calculation_id,
        dos.source,
        calculations.formula_reduced,
        sha256(
            method || ' ' || cast(list_sort(map_entries(dos.record_sha256)) as varchar) || ' '
            || coalesce(calculations.formula_reduced, '')
        ) as input_sha256
    from dos
    left join calculations
        on dos.source = calculations.source and dos.calculation_id = calculations.calculation_id
