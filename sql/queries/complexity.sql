-- How complex is every model, in the measures of its class and in one number, and what is that worth?
--
-- One row per model, or per variant of it (a formula of fewer terms, an expansion of fewer features). Errors compare
-- only where they are of the same rows: rows with the same comparison number have the same target, data and test rows;
-- what compares with nothing stands last, with the reason in apart.
--
-- param study varchar = 'none' : models of this study; none = those of the lake, any = all of them
-- param target varchar = 'any' : only models of this column; any = all
-- param model_class varchar = 'any' [network|forest|formula|expansion|any] : only this class
-- param variants boolean = false : also the variants of models
--
-- column model_id : the model; of a study: <study>/<model>
-- column variant : * = the model itself
-- column kind : mpeu, schnet, painn, forest, mlp, expansion, sisso or ensemble
-- column model_class : network, forest, formula or expansion
-- column target : column that it predicts
-- column n_parameters : everything that was fitted
-- column n_additive : A: parameters that add
-- column n_linear : L: parameters that the output is linear in
-- column n_nonlinear : N: parameters inside a nonlinear function
-- column n_weights : weights of a network
-- column n_biases : biases of a network
-- column n_leaves : leaves of a forest
-- column rung : highest rung of a formula's terms
-- column dimension : terms of a formula
-- column n_operators : operators in a formula
-- column terms_by_degree : terms of an expansion by degree
-- column complexity : C(h) = a·A + b·L + c·N
-- column coefficients : a, b, c
-- column n : rows that the errors are of
-- column mae : mean absolute error on them, in the unit of the target
-- column rmse : root mean square error on them, in the unit of the target
-- column rmsle : root mean square of the difference of log(1 + value)
-- column train_mae : mean absolute error on the training rows
-- column unit : unit of the target
-- column comparison : models with the same number were judged on the same rows; null = on rows of their own
-- column rank_in_class : place among models of its class in the comparison, by mean absolute error (by RMSE where that
--      is not known)
-- column on_front : whether no other model of the comparison is both less complex and better
-- column apart : why it compares with nothing; null = it does
with chosen as (
    select
        *,
        coalesce(mae, rmse) as error
    from complexities
    where
        ($study = 'any' or coalesce(study, 'none') = $study)
        and ($target = 'any' or target = $target)
        and ($model_class = 'any' or model_class = $model_class)
        and ($variants or variant = '*')
),

grouped as (
    select
        *,
        count(*) over same as n_alike
    from chosen
    where error is not null
    window same as (partition by study, target, unit, data_sha256, evaluated_on, n)
),

numbered as (
    select
        *,
        dense_rank() over (
            order by study asc nulls first, target asc, unit asc, data_sha256 asc, evaluated_on asc, n asc
        ) as comparison
    from grouped
    where n_alike > 1
),

front as (
    select
        one.model_id,
        one.variant,
        not coalesce(bool_or(
            other.complexity <= one.complexity
            and other.error <= one.error
            and (other.complexity < one.complexity or other.error < one.error)
        ), false) as on_front
    from numbered as one
    inner join numbered as other on one.comparison = other.comparison
    group by one.model_id, one.variant
)

select
    chosen.model_id,
    chosen.variant,
    chosen.kind,
    chosen.model_class,
    chosen.target,
    chosen.n_parameters,
    chosen.n_additive,
    chosen.n_linear,
    chosen.n_nonlinear,
    chosen.n_weights,
    chosen.n_biases,
    chosen.n_leaves,
    chosen.rung,
    chosen.dimension,
    chosen.n_operators,
    chosen.terms_by_degree,
    chosen.complexity,
    format(
        '{:g}, {:g}, {:g}',
        chosen.coefficient_additive, chosen.coefficient_linear, chosen.coefficient_nonlinear
    ) as coefficients,
    chosen.n,
    chosen.mae,
    chosen.rmse,
    chosen.rmsle,
    chosen.train_mae,
    chosen.unit,
    numbered.comparison,
    if(
        numbered.comparison is null, null,
        rank() over (partition by numbered.comparison, chosen.model_class order by chosen.error asc)
    ) as rank_in_class,
    front.on_front,
    case
        when numbered.comparison is not null then null
        when chosen.reason is not null then chosen.reason
        when chosen.error is null then 'it has no errors on rows that it has not seen'
        else 'no other model was judged on the same rows'
    end as apart
from chosen
left join numbered on chosen.model_id = numbered.model_id and chosen.variant = numbered.variant
left join front on chosen.model_id = front.model_id and chosen.variant = front.variant
order by
    numbered.comparison asc nulls last,
    chosen.model_class asc,
    chosen.complexity asc nulls last,
    chosen.model_id asc,
    chosen.variant asc
