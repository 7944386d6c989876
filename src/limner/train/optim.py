"""Optimizer steps, the moving average of the weights, and the state of a training stage."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from limner.train import parallel

Network = TypeVar("Network", bound=nn.Module)


class Stateful(Protocol):
    """Anything that a checkpoint holds: a network, an optimizer, an average."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that is needed to continue."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> object:
        """Continue from a state that `state_dict` returned."""


class EMA:
    """An exponential moving average of a network's weights. It is less noisy than the weights.

    Parameters
    ----------
    network : nn.Module
        The network to follow. The average is kept on the network's device.
    decay : float
        Share of the old average that stays at each step. It is smaller in the first steps, so that
        the random initial weights are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.steps = 0
        self.state = {key: value.clone() for key, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Add the weights of one more step to the average."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:  # a count, such as the batches that a batch normalization has seen
                self.state[key].copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {"state": self.state, "steps": self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint, on the device of the network."""
        self.steps = state_dict["steps"]
        for key, value in state_dict["state"].items():
            self.state[key].copy_(value)


class Muon(torch.optim.Optimizer):
    """The Muon optimizer (Jordan et al. 2024), for the weights of convolutions and matrices.

    It keeps only the directions of the momentum: all singular values of a step are about 1, so
    rarely used directions move as far as the others. `torch.optim.Muon` takes matrices only and
    adds weight decay; here a convolution counts as a matrix [out, in·height·width].

    Parameters
    ----------
    parameters : iterable of Tensor
        With at least two dimensions.
    lr : float
        Spectral norm of a step.
    momentum : float
        Share of the running mean of the gradient that stays at each step.
    """

    # Jordan's quintic iteration: five rounds bring singular values of 0.002..1 to 0.7..1.2
    _ROUNDS, _A, _B, _C = 5, 3.4445, -4.7750, 2.0315

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float = 0.015, momentum: float = 0.95
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                gradient, momentum = weight.grad, group["momentum"]
                if gradient is None:
                    continue
                mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
                mean.lerp_(gradient, 1 - momentum)
                update = gradient.lerp(mean, momentum).flatten(1)  # Nesterov momentum
                weight.add_(self._orthogonal(update).view_as(weight), alpha=-group["lr"])

    def _orthogonal(self, matrix: Tensor) -> Tensor:
        """Return roughly the nearest matrix [rows, columns] whose singular values are all 1."""
        tall = matrix.shape[0] > matrix.shape[1]
        x: Tensor = (matrix.mT if tall else matrix) / (matrix.norm() + 1e-7)
        for _ in range(self._ROUNDS):
            square = x @ x.mT
            x = self._A * x + (self._B * square + self._C * square @ square) @ x
        return x.mT if tall else x


def muon_and_adam(network: nn.Module, rate: float) -> tuple[Muon, torch.optim.Adam]:
    """Return Muon for the weights of a network, at four times the rate, and Adam for its biases."""
    weights = [p for p in network.parameters() if p.dim() > 1]
    biases = [p for p in network.parameters() if p.dim() == 1]
    return Muon(weights, 4 * rate), torch.optim.Adam(biases, rate, betas=(0.9, 0.99))


class Stage(Generic[Network]):
    """One stage of a training: a network, the EMA of its weights, and what checkpoints hold.

    A subclass adds the optimizers and a ``step`` method that learns from one batch.

    Parameters
    ----------
    network : nn.Module
        The network to train, on the device where it trains.
    parts : Stateful
        The optimizers, and networks that are trained along with it, such as a discriminator.
    """

    def __init__(self, network: Network, **parts: Stateful) -> None:
        self.network, self.average = network, EMA(network)
        self.parts: dict[str, Stateful] = {"network": network, "average": self.average, **parts}

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint. An empty one changes nothing."""
        for name, state in state_dict.items():
            self.parts[name].load_state_dict(state)

    def averaged(self) -> Network:
        """Return a copy of the network with the averaged weights."""
        network = deepcopy(self.network)
        network.load_state_dict(self.average.state)
        return network


def optimizer_step(loss: Tensor, share: float, *optimizers: torch.optim.Optimizer) -> None:
    """Take one step with each optimizer.

    Parameters
    ----------
    loss : Tensor
        The loss to reduce; its gradient is computed here, and averaged over the processes.
    share : float
        Share of the learning rate that each optimizer was made with: 0 to 1.
    optimizers : Optimizer
        They own all parameters that the loss should change.
    """
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    parallel.average_gradients(weight for group in groups for weight in group["params"])
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"] * share
        optimizer.step()
