-- How far does a cluster expansion carry with more features, on the fit and beyond it?
--
-- One row per point of a curve: by lattice, pool, set of features and number of features.
--
-- param run varchar = 'newest' : a run (name.number) or a name (then its newest run); newest = the one made last
-- param parent varchar = '*' : a parent lattice; * = all of them together, any = every curve
--
-- column run_id : the run
-- column target : what was expanded
-- column parent : parent lattice; * = all of them together
-- column pool : small or large: of which clusters features were selected
-- column feature_set : standard, or nonlinear-<degree>
-- column method : omp, lasso or ridge
-- column n_features : features of the model
-- column n_candidates : features that it was selected from
-- column feature : what was added at this point; null = several, or all of them
-- column fit_rmse : root mean square error on the rows it was fitted to, in unit
-- column cv_rmse : the same on rows left out, cross-validated by group, in unit
-- column cv_rmse_spread : its standard error over the folds, in unit
-- column least : whether cv_rmse is least on its curve here: more features fit better and predict no better
-- column better_on_the_fit : whether fit_rmse is below that of standard features as many; null = nothing to compare
-- column better_beyond_it : whether cv_rmse is; null = nothing to compare
-- column unit : unit of the errors
with chosen as (
    select
        run_id,
        target
    from (
        select
            *,
            row_number() over (order by created_at desc, run_id desc) = 1 as newest,
            created_at = max(created_at) over (partition by name) as newest_of_name
        from expansions
    ) as runs
    where ($run = 'newest' and newest) or run_id = $run or (name = $run and newest_of_name)
),

points as (
    select
        chosen.target,
        paths.*
    from selection_paths as paths
    inner join chosen on paths.run_id = chosen.run_id
    where $parent = 'any' or paths.parent = $parent
)

select
    points.run_id,
    points.target,
    points.parent,
    points.pool,
    points.feature_set,
    points.method,
    points.n_features,
    points.n_candidates,
    points.feature,
    points.fit_rmse,
    points.cv_rmse,
    points.cv_rmse_spread,
    points.cv_rmse = min(points.cv_rmse) over (
        partition by points.run_id, points.parent, points.pool, points.feature_set, points.method
    ) as least,
    case when points.degree > 1 then points.fit_rmse < standard.fit_rmse end as better_on_the_fit,
    case when points.degree > 1 then points.cv_rmse < standard.cv_rmse end as better_beyond_it,
    points.unit
from points
left join points as standard
    on
        points.run_id = standard.run_id and points.parent = standard.parent and points.pool = standard.pool
        and points.method = standard.method and points.n_features = standard.n_features and standard.degree = 1
order by points.run_id, points.parent, points.pool, points.degree, points.n_features
