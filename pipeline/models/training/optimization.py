"""From gradients to steps: AdamW, its step size over time, clipping, precision, mean weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pipeline.models.options import ModelOptions
from pipeline.models.training.parallel import World

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Optimization:
    """AdamW (1711.05101) under a cosine (1608.03983) that a linear warm-up may go before.

    Parameters
    ----------
    parameters, free:
        What is trained, with weight decay and without.
    steps:
        All that there will be, of which `options.warmup` is the share of the warm-up.
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        free: Iterable[Parameter],
        options: ModelOptions,
        steps: int,
        device: torch.device,
    ) -> None:
        decayed, free = list(parameters), list(free)
        self.parameters = [*decayed, *free]
        groups: list[dict[str, Any]] = [
            {"params": decayed},
            {"params": free, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups,
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
            fused=True if device.type == "cuda" else None,  # one kernel for all parameters
        )
        self.schedule = _schedule(self.optimizer, steps, round(options.warmup * steps))
        # Small gradients would be zero in float16 (1710.03740); bfloat16 has float32's range.
        self.scaler = torch.amp.GradScaler(device.type, enabled=options.precision == "float16")
        self._clip = options.clip
        self._device, self._type = device, TYPES[options.precision]

    @property
    def parts(self) -> dict[str, Any]:
        """What has a state, by name."""
        return {"optimizer": self.optimizer, "schedule": self.schedule, "scaler": self.scaler}

    def autocast(self) -> torch.autocast:
        """Inside, operations that bear it run in the options' precision."""
        enabled = self._type != torch.float32
        return torch.autocast(self._device.type, self._type if enabled else None, enabled)

    def backward(self, loss: Tensor) -> None:
        """Add the loss's gradient to what stands there."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self, world: World) -> bool:
        """One step by all gradients since the last, those of other processes included.

        False if it was left out, as the scaler does where a gradient is no finite number in
        float16: the step size then stays, too.
        """
        world.sum_gradients(self.parameters)
        if self._clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, self._clip)
        self.scaler.step(self.optimizer)
        scale = self.scaler.get_scale()
        self.scaler.update()
        # The scaler tells it by nothing else; in float32 there is no scale.
        stepped = self.scaler.get_scale() >= scale
        if stepped:
            self.schedule.step()
        self.optimizer.zero_grad()
        return stepped


def averaged_model(network: nn.Module, decay: float) -> AveragedModel | None:
    """A copy whose weights are told to follow: decay · before + (1 - decay) · now; None for 0."""
    if not decay:
        return None
    follow = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=follow)


def _schedule(optimizer: torch.optim.Optimizer, steps: int, warmup: int) -> LRScheduler:
    if not warmup:
        return CosineAnnealingLR(optimizer, steps)
    rise = LinearLR(optimizer, 1 / (warmup + 1), total_iters=warmup)
    fall = CosineAnnealingLR(optimizer, max(steps - warmup, 1))
    return SequentialLR(optimizer, [rise, fall], [warmup])
