-- Which calculation of a material is to represent it?
--
-- relation   : name of a table with calculation_id, source, material_key, the columns of settings and energies
--              of calculation_traits, and typicality (mean similarity to the material's others; null = unknown)
-- per_source : true: one for every material and database; false: one for every material
--
-- place 1 is the one to take. The order:
--   1. convergence: the settings are ranked among the material's calculations, the k-point density among all,
--      the basis (cutoff, else basis functions per atom) among those of the same code and kind of basis, as
--      shares of the distinct values from 0 (unknown) to 1 (largest). A calculation is as good as its weaker
--      share; then the sum decides, then the kind of basis (complete ones first), then the named tier.
--   2. typicality: the most similar one to all others
--   3. the lowest formation energy: among equal settings, the ground state
--   4. calculation_id, so that the choice never depends on the order of rows
--
-- Columns: material_key, choice_source (null unless per_source), calculation_id, place, k_share, basis_share.
create or replace macro preferred(relation, per_source) as table
    with sized as (
        select
            calculation_id,
            source,
            material_key,
            if(per_source, source, null) as choice_source,
            k_point_density_angstrom as k_size,
            coalesce(cutoff_ev, n_basis_functions / n_sites) as basis_size,
            concat_ws('|', coalesce(lower(code), ''), coalesce(basis_set, ''), cutoff_ev is null) as basis_kind,
            case
                when basis_set ilike '%apw%' then 4
                when basis_set = 'plane waves' then 3
                when basis_set = 'numeric AOs' then 2
                when basis_set is not null then 1
                else 0
            end as basis_order,
            case lower(settings_tier)
                when 'really_tight' then 4
                when 'tight' then 3
                when 'intermediate' then 2
                when 'light' then 1
                else 0
            end as tier_order,
            typicality,
            formation_energy_ev_per_atom
        from query_table(relation)
    ),

    placed as (
        select
            *,
            dense_rank() over (partition by material_key, choice_source, k_size is null order by k_size) as k_place,
            dense_rank() over (
                partition by material_key, choice_source, basis_kind, basis_size is null
                order by basis_size
            ) as basis_place
        from sized
    ),

    shared as (
        select
            *,
            if(
                k_size is null, 0,
                k_place / max(k_place) over (partition by material_key, choice_source, k_size is null)
            ) as k_share,
            if(
                basis_size is null, 0,
                basis_place
                / max(basis_place) over (
                    partition by material_key, choice_source, basis_kind, basis_size is null
                )
            ) as basis_share
        from placed
    )

    select
        material_key,
        choice_source,
        calculation_id,
        row_number() over (
            partition by material_key, choice_source
            order by
                least(k_share, basis_share) desc,
                k_share + basis_share desc,
                basis_order desc,
                tier_order desc,
                typicality desc nulls last,
                formation_energy_ev_per_atom asc nulls last,
                calculation_id asc
        ) as place,
        k_share,
        basis_share
    from shared
    order by material_key, choice_source, place
