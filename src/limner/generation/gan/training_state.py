"""The state of a painter's training: what a checkpoint holds, and what it can fall back to."""

import math
from copy import deepcopy
from typing import Any

from limner.generation.gan.adversarial_step import AdversarialStep


class TrainingState:
    """The networks of a training, and how far it is.

    If the training diverges, it falls back to the last good state, that of the last regular
    checkpoint. A checkpoint that is written in between, because the training was stopped, holds
    that state too: a resumed training that diverges gives the same bits as one without the stop.

    Parameters
    ----------
    stage : AdversarialStep
        The networks and their optimizers.

    Attributes
    ----------
    step : int
        Steps done.
    seconds : float
        Seconds of training, over all calls.
    rate_share : float
        Share of the learning rate: halved at every divergence.
    divergences : int
        How often the training diverged.
    scores : dict of str to float
        Of the last regular checkpoint.
    best : float
        The lowest KID so far.
    """

    def __init__(self, stage: AdversarialStep) -> None:
        self.stage = stage
        self.step, self.seconds = 0, 0.0
        self.rate_share, self.divergences = 1.0, 0
        self.scores: dict[str, float] = {}
        self.best = math.inf
        self.mark_good()

    def mark_good(self) -> None:
        """Make the current networks the ones to fall back to."""
        self._good_step, self._good_stage = self.step, deepcopy(self.stage.state_dict())

    def fall_back(self) -> None:
        """Return to the last good networks, with half the learning rate."""
        self.divergences += 1
        self.rate_share /= 2
        self.step = self._good_step
        self.stage.load_state_dict(deepcopy(self._good_stage))

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        good = None  # the same as the current state
        if self._good_step != self.step:
            good = {"step": self._good_step, "stage": self._good_stage}
        return {
            "step": self.step,
            "seconds": self.seconds,
            "rate_share": self.rate_share,
            "divergences": self.divergences,
            "scores": self.scores,
            "best": self.best,
            "stage": self.stage.state_dict(),
            "last_good": good,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from a checkpoint, on the device of the networks."""
        self.step, self.seconds = saved["step"], saved["seconds"]
        self.rate_share, self.divergences = saved["rate_share"], saved["divergences"]
        self.scores, self.best = saved["scores"], saved["best"]
        self.stage.load_state_dict(saved["stage"])
        self.mark_good()
        if saved["last_good"] is not None:
            self._good_step = saved["last_good"]["step"]
            self._good_stage = saved["last_good"]["stage"]
