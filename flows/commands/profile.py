"""`matlake profile`: what a step of training takes, and what training costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.options import Format, Output, Root, open_lake

if TYPE_CHECKING:
    import pyarrow as pa


def command(
    ctx: typer.Context,
    model: Annotated[str, typer.Option("--model", "-m", help="Networks, with commas: schnet, mpeu, painn.")
                     ] = "schnet,mpeu,painn",
    batch_size: Annotated[str, typer.Option("--batch-size", help="Crystals in a step; several with commas.")] = "32",
    device: Annotated[str | None, typer.Option("--device", help="cpu, cuda or cuda:N, with commas. Default: the CPU, "
                                               "and the GPU where there is one.")] = None,
    channels: Annotated[int, typer.Option("--channels", help="Width of the networks.")] = 64,
    message_steps: Annotated[int, typer.Option("--message-steps", help="Message-passing steps of the networks.")] = 3,
    members: Annotated[int, typer.Option("--members", help="Members, or candidates of one shape, trained together.")
                       ] = 1,
    neighbours: Annotated[int, typer.Option("--neighbours", help="Neighbours of every atom, in full shells.")] = 24,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads on a CPU; default: PyTorch's choice.")
                       ] = None,
    crystals: Annotated[int, typer.Option("--crystals", help="How many of the lake's crystals are used.")] = 500,
    made_up: Annotated[bool, typer.Option("--made-up", help="Use crystals made up in the program, not the lake's.")
                       ] = False,
    seconds: Annotated[float, typer.Option("--seconds", help="Time for each combination, about.")] = 2.0,
    capture: Annotated[bool, typer.Option("--capture/--no-capture", help="Capture steps on a GPU as CUDA graphs.")
                       ] = True,
    training_steps: Annotated[int, typer.Option("--training-steps", help="Gradient steps of one training.")
                              ] = 2_000_000,
    candidates: Annotated[int, typer.Option("--candidates", help="Architectures or settings that are trained.")] = 1,
    price: Annotated[float | None, typer.Option("--price", help="Price of the device per hour, in any currency.")
                     ] = None,
    step_ms: Annotated[float | None, typer.Option("--step-ms", help="Measure nothing: reckon with this time of a step, "
                                                  "in ms.")] = None,
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Time batching and gradient steps of training, and say what a number of steps or candidates costs.

    Crystals are the lake's; where it has none, they are made up. Steps are those of matlake train. The paper's
    figures: matlake profile --step-ms 3.3 --candidates 2000.
    """
    from flows.terminal import check_format, emit, err
    from lake.errors import SettingsError
    from ml.profile.costs import Plan

    check_format(format_, output)
    plan = Plan(training_steps, candidates, price)
    if members < 1 or crystals < 1 or not seconds > 0 or (threads is not None and threads < 1):
        raise SettingsError("--members, --crystals, --threads: whole numbers from 1; --seconds: a number above 0.")
    if step_ms is not None:
        from ml.profile.run import priced

        emit(priced(step_ms, plan, members), format_, output)
        return
    from ml.profile.run import Asked, profile

    asked = Asked(_words(model), [_whole(word) for word in _words(batch_size)], _words(device or ""), channels,
                  message_steps, members, neighbours, seconds, threads, capture)
    # What cannot be is said before crystals are read.
    asked.checked()
    found = _crystals(ctx, root, crystals, made_up)
    emit(profile(found, asked, plan, lambda text: err.print(text, soft_wrap=True, markup=False)), format_, output)


def _crystals(ctx: typer.Context, root: str | None, n: int, made_up: bool) -> pa.Table:
    """The lake's crystals, or made-up ones where there are none; said on stderr."""
    from flows.terminal import err
    from ml.profile import crystals

    found = None
    if not made_up:
        lake = open_lake(ctx, root)
        found = crystals.crystals_of(lake, n)
        if found.num_rows:
            err.print(f"{found.num_rows:,} crystals of {lake.root.uri}", soft_wrap=True, markup=False)
    if found is None or not found.num_rows:
        found = crystals.made_up(n)
        err.print(f"{found.num_rows:,} made-up crystals of common structure types", soft_wrap=True, markup=False)
    return found


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _whole(word: str) -> int:
    from lake.errors import SettingsError

    if not word.isdecimal() or int(word) < 1:
        raise SettingsError(f"--batch-size {word!r:.40}: whole numbers from 1 are needed, with commas between them.")
    return int(word)
