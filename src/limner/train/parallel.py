"""Several processes that train one network, started by torchrun: each has a share of a batch.

The gradients are averaged after each backward pass, as in PyTorch's DistributedDataParallel. That
wraps one network and one loss; our steps have several, so the average is taken in one place,
`limner.train.optim.optimizer_step`. Without torchrun there is one process, and nothing here has an
effect.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from limner.errors import OptionError, PeerError, is_out_of_memory, reason
from limner.nn import seeding

_TIMEOUT = timedelta(minutes=30)  # the first process also measures and saves; the others wait


def rank() -> int:
    """Return the number of this process, from 0. The first one writes the files."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """Return the number of this process on its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def world_size() -> int:
    """Return the number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def join() -> bool:
    """Wait for the other processes; return whether this call has joined them."""
    if world_size() == 1 or dist.is_initialized():
        return False
    backend, local, gpus = "gloo", local_rank(), torch.cuda.device_count()
    if gpus:
        if local >= gpus:
            raise OptionError(f"--nproc-per-node: there are only {gpus} GPUs; start one for each")
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(local)
    try:
        dist.init_process_group(backend, timeout=_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise PeerError(
            f"the processes cannot reach each other ({reason(error)}); start them with torchrun, "
            "or unset WORLD_SIZE for one process"
        ) from error
    return True


def leave() -> None:
    """Leave the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def check_batch(batch_size: int) -> None:
    """Refuse a batch that the processes cannot share evenly.

    Raises
    ------
    OptionError
    """
    if batch_size % world_size():
        raise OptionError(
            f"--batch-size {batch_size}: must be a multiple of {world_size()}, the number of "
            "processes"
        )


def generators(seed: int, step: int, batch_size: int) -> list[torch.Generator]:
    """Return a random number generator for each item of this process's share of a batch.

    An item is the same for any number of processes.
    """
    items = range(rank(), batch_size, world_size())
    return [seeding.generator(seed, step * batch_size + item) for item in items]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every process the mean of all their gradients."""
    if world_size() == 1:
        return
    gradients = [one.grad for one in parameters if one.grad is not None]
    flat = mean(torch.cat([gradient.flatten() for gradient in gradients]))
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def mean(values: Tensor) -> Tensor:
    """Return the mean of a tensor over the processes."""
    if world_size() == 1:
        return values
    # neither gloo nor NCCL reduces on MPS
    total = values.cpu() if values.device.type == "mps" else values.clone()
    _reduce(total)
    return (total / world_size()).to(values.device)


def mean_of(numbers: Mapping[str, float]) -> dict[str, float]:
    """Return the means of losses over the processes."""
    means = mean(torch.tensor(list(numbers.values()), dtype=torch.float64))
    return dict(zip(numbers, means.tolist(), strict=True))


def any_of(flag: bool) -> bool:
    """Whether a flag is true in any process."""
    return flag if world_size() == 1 else bool(mean(torch.tensor(float(flag))) > 0)


def barrier() -> None:
    """Wait until every process is here."""
    any_of(False)


def _reduce(values: Tensor) -> None:
    try:
        dist.all_reduce(values)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise PeerError(
            f"another of the {world_size()} processes has ended; start the same command with "
            "--resume to continue from the last checkpoint"
        ) from error
