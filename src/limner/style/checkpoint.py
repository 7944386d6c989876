"""Checkpoints of `stylize`: the state of an unfinished picture in a safetensors file."""

from pathlib import Path

import torch

from limner._version import __version__
from limner.errors import OptionError, WeightsError, printable
from limner.io import check_place
from limner.nn import weights
from limner.patches.synthesis import restore
from limner.style.inputs import Inputs
from limner.style.optimizer import PictureOptimizer
from limner.style.paint import PaintingState
from limner.style.plan import Plan

_KIND = "stylize checkpoint"


def check(path: Path | None, save_every: int, resume: bool) -> None:
    """Refuse, before any work, a checkpoint that cannot be written or does not fit this version.

    Raises
    ------
    OptionError
        There is no checkpoint to resume from, or no path to save one.
    OutputError
        The checkpoint cannot be written there.
    WeightsError
        The file is damaged, not a checkpoint, or from another version of limner.
    """
    if path is None:
        if resume:
            raise OptionError(
                "--resume: there is no checkpoint; leave out --resume to start a new picture"
            )
        if save_every:
            raise OptionError(
                f"--save-every {save_every}: there is no path for the checkpoint; give one"
            )
        return
    name = printable(path)
    if not (resume or save_every):
        raise OptionError(f"checkpoint {name}: has no effect without --save-every or --resume")
    check_place(path, overwrite=True)
    if not resume:
        return
    if not path.is_file():
        raise OptionError(
            f"--resume: there is no checkpoint {name}; leave out --resume to start a new picture"
        )
    about = weights.describe(path)
    if about.get("kind") != _KIND:
        raise WeightsError(f"{name}: is not a checkpoint of stylize; use the file that it saved")
    if about.get("version") != __version__:
        raise WeightsError(
            f"{name}: was saved by limner {printable(about.get('version', '?'))}, and this is "
            f"{__version__}; start again without --resume, or use that version"
        )


def save(path: Path, state: PaintingState, fingerprint: str) -> None:
    """Save a state; the fingerprint says which pictures and options it belongs to.

    The checkpoint that is there stays until the new one is on the disk.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    tensors = state.optimizer.state_dict() | {"steps_done": torch.tensor(state.steps_done)}
    if state.strokes is not None:
        strokes = {name: getattr(state.strokes, name) for name in ("field", "labels", "color_maps")}
        tensors |= strokes | {"level": torch.tensor(state.strokes.level)}
    weights.write(path, tensors, {"kind": _KIND, "call": fingerprint})


def load(path: Path, fingerprint: str, inputs: Inputs, plan: Plan) -> PaintingState:
    """Load a state. The inputs may be on another device than those of the run that saved it.

    Raises
    ------
    WeightsError
        The file is damaged, or the checkpoint of another picture.
    """
    if weights.describe(path).get("call") != fingerprint:
        raise WeightsError(
            f"{printable(path)}: is the checkpoint of a call with other pictures or options; use "
            "the same ones, or start again without --resume"
        )
    device = inputs.photo.device
    state = {name: tensor.to(device) for name, tensor in weights.read(path).items()}
    steps_done = tuple(state.pop("steps_done").tolist())
    strokes = None
    if "level" in state:
        level, maps = int(state.pop("level")), state.pop("color_maps").cpu()
        field, labels = state.pop("field"), state.pop("labels")
        strokes = restore(plan.size, inputs.sources, level, field, labels, maps)
    optimizer = PictureOptimizer(state["picture"])
    optimizer.load_state_dict(state)
    return PaintingState(optimizer, steps_done, None, strokes)
