"""The `matlake` command. Imports stay inside the commands: `matlake --help` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands import (
    cluster,
    complexity,
    convergence,
    curate,
    expand,
    fingerprint,
    models,
    predict,
    profile,
    retrain,
    search,
    similar,
    sisso,
    train,
    transfer,
)
from flows.options import Format, Output, Root, open_lake

app = typer.Typer(
    name="matlake",
    help="A data lake for the world's density-functional-theory databases.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def common(
    ctx: typer.Context,
    root: Root = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say on stderr what is being done.")] = False,
) -> None:
    """Options that stand before the command."""
    ctx.obj = root
    if verbose:
        import logging

        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")


@app.command(
    "ingest",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Source options are given as --name value; `matlake sources` lists them.",
)
def ingest_command(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(help="aflow, mp, nomad or optimade.")],
    saved: Annotated[
        list[str] | None,
        typer.Option("--from", help="Saved replies: a file, folder or URL; may be given several times."),
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="Another server than the source's own.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Stop after so many records.")] = None,
    root: Root = None,
) -> None:
    """Take records of a source into the lake, from its live API or from saved replies."""
    from flows.terminal import ingest_with_progress

    options = source_options(ctx.args)
    ingest_with_progress(open_lake(ctx, root), source, options, saved or [], url, limit)


def source_options(words: list[str]) -> dict[str, str]:
    """Source options from `--name value` or `--name=value`; a dash in a name is an underscore."""
    options: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--") or len(word) < 3:
            raise typer.BadParameter(f"{word!r} is no option; source options are given as --name value.")
        name, given, value = word[2:].partition("=")
        if not given:
            value = next(rest, "")
            if not value or value.startswith("--"):
                raise typer.BadParameter(f"--{name} needs a value.")
        options[name.replace("-", "_")] = value
    return options


@app.command()
def sql(
    ctx: typer.Context,
    query: Annotated[str | None, typer.Argument(help="Name of a query, or SQL. Nothing: list the queries.")] = None,
    format_: Format = "table",
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="A parameter, as name=value.")] = None,
    output: Output = None,
    describe: Annotated[bool, typer.Option("--describe", help="Say what a named query answers.")] = False,
    root: Root = None,
) -> None:
    """Ask the lake: a named query such as overlap, or any SELECT."""
    from flows.terminal import show_queries, show_result

    if query is None or describe:
        show_queries(query)
        return
    show_result(open_lake(ctx, root), query, param or [], format_, output)


@app.command()
def status(ctx: typer.Context, root: Root = None) -> None:
    """What is in the lake, how fresh it is, and at which versions."""
    from flows.terminal import show_status

    show_status(open_lake(ctx, root))


@app.command()
def report(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path("report.html"),
    root: Root = None,
) -> None:
    """Write one HTML page, readable without a network, on what the lake holds and how far it agrees."""
    from analytics.report import write_report

    path = write_report(open_lake(ctx, root), output)
    print(path)


@app.command()
def refresh(ctx: typer.Context, root: Root = None) -> None:
    """Rebuild lake.duckdb, for example after moving a lake."""
    print(open_lake(ctx, root).refresh())


@app.command()
def cite(
    source: Annotated[str | None, typer.Argument(help="A source; nothing: all of them.")] = None,
) -> None:
    """How to cite the databases, and under which terms their data are."""
    from flows.terminal import show_citations

    show_citations(source)


@app.command()
def sources() -> None:
    """The sources, their options and their servers."""
    from flows.terminal import show_sources

    show_sources()


@app.command()
def version() -> None:
    """The version of matlake."""
    from lake import __version__

    print(__version__)


app.command("cluster")(cluster.command)
app.command("complexity")(complexity.command)
app.command("search")(search.command)
app.command("convergence")(convergence.command)
app.command("curate")(curate.command)
app.command("fingerprint")(fingerprint.command)
app.command("models")(models.command)
app.command("predict")(predict.command)
app.command("profile")(profile.command)
app.command("retrain")(retrain.command)
app.command("similar")(similar.command)
app.command("expand")(expand.command)
app.command("sisso")(sisso.command)
app.command("train")(train.command)
app.command("transfer")(transfer.command)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command; a failure that matlake knows ends as one message on stderr and exit status 1."""
    from lake.errors import MatlakeError

    try:
        return app(arguments)
    except MatlakeError as error:
        print(f"matlake: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except KeyboardInterrupt:
        print("matlake: interrupted; run the same command again to go on.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
