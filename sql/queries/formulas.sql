-- Which formulas did SISSO find, how far are they off, and how are they written in SQL and LaTeX?
--
-- One row per formula and task, by dimension.
--
-- param run varchar = 'newest' : a search (name.number) or a name (then its newest search); newest = the one made last;
--      any = all of them
-- param target varchar = 'any' : only formulas for this column; any = all
--
-- column run_id : the search
-- column dimension : terms in the formula
-- column task : database or other group with coefficients of its own; * = one for all
-- column target : what the formula says
-- column unit : unit of the target and of the errors
-- column rmse : root mean square error of the fit
-- column mae : mean absolute error of the fit
-- column max_error : largest absolute error of the fit
-- column cv_rmse : root mean square error under cross-validation; null = not done
-- column accuracy : share of rows in their class; null = a regression
-- column n_overlap : rows in the overlap of classes; null = a regression
-- column n_rows : rows of the task
-- column terms : features of the formula
-- column term_units : their units
-- column text : the formula for a person
-- column latex : the same in LaTeX
-- column sql : the same as an expression over columns, for a query such as select <sql> from calculations
-- column model_id : the formula as a model; null = it is none
-- column created_at : when the search ended
with chosen as (
    select
        *,
        row_number() over (order by created_at desc, run_id desc) = 1 as newest,
        created_at = max(created_at) over (partition by name) as newest_of_name
    from formulas
    where $target = 'any' or target = $target
)

select
    run_id,
    dimension,
    task,
    target,
    unit,
    rmse,
    mae,
    max_error,
    cv_rmse,
    accuracy,
    n_overlap,
    n_rows,
    terms,
    term_units,
    text,
    latex,
    sql,
    model_id,
    created_at
from chosen
where
    $run = 'any'
    or run_id = $run
    or (name = $run and newest_of_name)
    or ($run = 'newest' and run_id = (
        select first.run_id
        from chosen as first
        where first.newest
    ))
order by run_id, dimension, task
