"""The command of every training: limits, scores, and how it ended."""

from collections.abc import Callable, Mapping, Sequence
from json import dumps
from pathlib import Path
from typing import Any

from limner.cli.budget import Budget, State, run_when_done
from limner.cli.console import Console, say
from limner.cli.outputs import reserved
from limner.errors import (
    CUT_SHORT,
    DONE,
    FAILED,
    INTERRUPTED,
    LimnerError,
    OptionError,
    PeerError,
)
from limner.progress import Progress, Stop


def train(
    verb: Callable[..., Mapping[str, float]],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    *,
    output: Path,
    json: bool = False,
    max_hours: float | None = None,
    budget: float | None = None,
    price_per_hour: float | None = None,
    when_done: str | None = None,
) -> int:
    """Train a network and print its scores on held-out data; return the exit code.

    Parameters
    ----------
    verb : callable
        It takes the run folder after its inputs, and ``on_step``; it returns scores by name.
    inputs, options
        The verb's arguments.
    output : path
        The run folder: logs, samples, checkpoint, and the trained weights as .safetensors.
    json : bool
        Print one JSON object instead of the path of the weights.
    max_hours : float
        Stop this run after this many hours, above 0. Use --resume to continue it later.
    budget : float
        Stop this run before it costs more than this. Needs --price-per-hour.
    price_per_hour : float
        Price of one hour on this machine, in the currency of --budget. After a minute, limner says
        what the training will cost.
    when_done : str
        A command to run at the end, such as one that switches the machine off. It runs after
        success, failure, an interruption or the end of the budget, and finds LIMNER_STATE (done,
        failed, interrupted or budget) and LIMNER_RUN (the run folder) in its environment.
    """
    from limner.train import parallel, run_folder

    if parallel.rank():  # torchrun started several processes, of which the first speaks
        return _help_training(verb, inputs, output, options)
    limits = Budget(max_hours, budget, price_per_hour)
    run_folder.check(output, resume=options.get("resume") or False)
    with reserved(output):
        return _train_alone(verb, inputs, options, output, limits, json=json, when_done=when_done)


def _train_alone(
    verb: Callable[..., Mapping[str, float]],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    output: Path,
    limits: Budget,
    *,
    json: bool,
    when_done: str | None,
) -> int:
    """Train in a run folder that no other command writes; return the exit code."""
    state: State | None = "failed"
    try:
        with Console() as console:
            try:
                scores = verb(*inputs, output, **options, on_step=limits.watch(console))
                state = "done"
            except Stop:
                scores, state = None, "budget" if limits.is_used_up else "interrupted"
        if scores is None:
            _tell_end(console.last, output)
            return CUT_SHORT if state == "budget" else INTERRUPTED
        for name, score in scores.items():
            say(f"{name}: {score:.4f}")
        model = output / "model.safetensors"
        others = sorted({*output.glob("*.safetensors")} - {model})
        about = {"output": str(model), "beside": list(map(str, others)), "scores": dict(scores)}
        print(dumps(about) if json else "\n".join(map(str, (model, *others))), flush=True)
        return DONE
    except OptionError:  # a mistake in the command, which the user will correct at once
        state = None
        raise
    except LimnerError as error:
        say(f"error: {error}")  # before a command that may switch the machine off
        return FAILED
    except KeyboardInterrupt:
        state = "interrupted"
        raise
    finally:
        if when_done and state is not None:
            run_when_done(when_done, state, output)


def _help_training(
    verb: Callable[..., Any], inputs: Sequence[object], run: Path, options: Mapping[str, Any]
) -> int:
    """Train as one of several processes, but not the first; return the exit code."""
    from limner.train.parallel import local_rank

    with Console(is_quiet=True) as console:
        try:
            verb(*inputs, run, **options, on_step=console)
        except Stop:
            return DONE
        except PeerError:  # whose process tells why
            return FAILED
        except LimnerError:
            if local_rank() == 0:  # the first process may be on another machine
                raise
            return FAILED
    return DONE


def _tell_end(last: Progress, run: Path) -> None:
    """Say where a training ended, and how to continue it."""
    message = f"stopped after {last.step} of {last.steps} steps; "
    if (run / "checkpoint.pt").is_file():
        say(message + "the checkpoint is saved: continue with the same command and --resume")
    else:
        say(message + "there is no checkpoint yet: the same command starts again")
