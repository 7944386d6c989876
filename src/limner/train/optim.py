"""How weights go down a loss: the steps, their average, and what a stage of a training keeps."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class Stateful(Protocol):
    """What goes into a checkpoint: networks, optimisers, averages."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> object:
        """Go on from there."""


class EMA:
    """An exponential moving average of a network's weights: steadier than the weights themselves.

    Parameters
    ----------
    network : nn.Module
        Whose weights are followed.
    decay : float
        Of the average; smaller in the first steps, so that the random weights are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.steps = 0
        self.state = {key: value.clone() for key, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights of one more step."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:  # such as how many batches a normalisation has seen
                self.state[key].copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"state": self.state, "steps": self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from there, on the device where the network is."""
        self.steps = state_dict["steps"]
        for key, value in state_dict["state"].items():
            self.state[key].copy_(value)


class Muon(torch.optim.Optimizer):
    """Gradient descent by orthogonal steps, for the weights of convolutions and matrices.

    Of the running mean of the gradient only the directions are kept: all its singular values become
    about 1, so that weights which rarely move do too (Jordan et al. 2024). torch's own takes
    matrices alone, and decays them; here a convolution is one of [out, in·height·width].

    Parameters
    ----------
    parameters : iterable of Tensor
        At least two-dimensional.
    lr : float
        Spectral norm of a step.
    momentum : float
        Share of the running mean that stays.
    """

    # Jordan's quintic: five rounds bring singular values from 0.002..1 to 0.7..1.2
    _ROUNDS, _A, _B, _C = 5, 3.4445, -4.7750, 2.0315

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float = 0.015, momentum: float = 0.95
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                gradient, kept = weight.grad, group["momentum"]
                if gradient is None:
                    continue
                mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
                mean.lerp_(gradient, 1 - kept)
                ahead = gradient.lerp(mean, kept).flatten(1)  # Nesterov's
                weight.add_(self._orthogonal(ahead).view_as(weight), alpha=-group["lr"])

    def _orthogonal(self, matrix: Tensor) -> Tensor:
        """The nearest matrix [rows, columns] with singular values of 1, roughly."""
        tall = matrix.shape[0] > matrix.shape[1]
        x: Tensor = (matrix.mT if tall else matrix) / (matrix.norm() + 1e-7)
        for _ in range(self._ROUNDS):
            square = x @ x.mT
            x = self._A * x + (self._B * square + self._C * square @ square) @ x
        return x.mT if tall else x


def solvers(network: nn.Module, rate: float) -> tuple[Muon, torch.optim.Adam]:
    """Muon for the weights of a network, at four times the rate, and Adam for its biases."""
    weights = [p for p in network.parameters() if p.dim() > 1]
    biases = [p for p in network.parameters() if p.dim() == 1]
    return Muon(weights, 4 * rate), torch.optim.Adam(biases, rate, betas=(0.9, 0.99))


class Stage(Generic[Network]):
    """One stage of a training: a network, the average of its weights, what checkpoints hold.

    Parameters
    ----------
    network : nn.Module
        What is trained.
    parts : Stateful
        Optimisers, and networks that are trained beside it.
    """

    def __init__(self, network: Network, **parts: Stateful) -> None:
        self.network, self.average = network, EMA(network)
        self.parts: dict[str, Stateful] = {"network": network, "average": self.average, **parts}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        for name, kept in state_dict.items():
            self.parts[name].load_state_dict(kept)

    def averaged(self) -> Network:
        """A network of its own with the averaged weights."""
        network = deepcopy(self.network)
        network.load_state_dict(self.average.state)
        return network


def descend(loss: Tensor, share: float, *optimisers: torch.optim.Optimizer) -> None:
    """Take one step with each optimiser, at a share of the learning rate it was made with."""
    for optimiser in optimisers:
        optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = optimiser.defaults["lr"] * share
        optimiser.step()
