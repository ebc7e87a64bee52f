"""Layers that torch exports for the one size at which it traces them, written for every size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_ADAPTIVE = (
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
    nn.AdaptiveMaxPool3d,
)


def open_layers(module: nn.Module, *, sizes: bool) -> None:
    """Put layers for any size in the place of ``nn.RNN`` and, with free ``sizes``, adaptive pools.

    ONNX has no adaptive pools, and torch writes them for the size at which it traces: run at
    another, the file would give other numbers, or none. It writes ``nn.RNN`` step by step.
    """
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.RNN):
                setattr(parent, name, _OpenRecurrence(child))
            elif sizes and isinstance(child, _ADAPTIVE) and _parts(child) - {1, None}:
                setattr(parent, name, _OpenPool(child))


def _parts(pool: nn.Module) -> set[int | None]:
    size: Any = pool.output_size
    return {*size} if isinstance(size, tuple) else {size}


class _OpenPool(nn.Module):
    """Adaptive pooling as sums or maxima over masks, which are made from the size itself.

    Part i of n of a size L holds the positions from floor(i·L/n) to ceil((i + 1)·L/n), as in
    torch's ATen/native/AdaptivePooling.h. One axis is pooled after another.
    """

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.axes = int(type(pool).__name__[-2])
        self.largest = "Max" in type(pool).__name__
        wanted: Any = pool.output_size
        self.output_size = wanted if isinstance(wanted, tuple) else (wanted,) * self.axes

    def forward(self, x: Tensor) -> Tensor:
        for axis, parts in enumerate(self.output_size, -self.axes):
            if parts == 1:
                x = x.amax(axis, keepdim=True) if self.largest else x.mean(axis, keepdim=True)
            elif parts is not None:
                x = self._pooled(x.movedim(axis, -1), parts).movedim(-1, axis)
        return x

    def _pooled(self, x: Tensor, parts: int) -> Tensor:
        size = x.shape[-1]
        place = torch.arange(size, device=x.device)
        part = torch.arange(parts, device=x.device).unsqueeze(1)
        inside = (place * parts >= part * size - parts + 1) & (place * parts < (part + 1) * size)
        if self.largest:
            return x.unsqueeze(-2).masked_fill(~inside, float("-inf")).amax(-1)
        weight = inside.to(x.dtype)
        return x @ (weight / weight.sum(1, keepdim=True)).T


class _OpenRecurrence(nn.Module):
    """``nn.RNN`` with the batch first, as ONNX's operator RNN: one for each of its layers.

    https://onnx.ai/onnx/operators/onnx__RNN.html
    """

    def __init__(self, layer: nn.RNN) -> None:
        super().__init__()
        self.layer = layer
        self.directions = 2 if layer.bidirectional else 1

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        batch, steps, _ = x.shape
        layer, both, width = self.layer, self.directions, self.layer.hidden_size
        if hidden is None:
            hidden = x.new_zeros(layer.num_layers * both, batch, width)
        states = []
        out = x.transpose(0, 1)
        for number in range(layer.num_layers):
            first = hidden[number * both : (number + 1) * both]
            out, state = torch.onnx.ops.symbolic_multi_out(
                "RNN",
                (out, *self._weights(number), None, first),
                {
                    "hidden_size": width,
                    "direction": "bidirectional" if both == 2 else "forward",
                    "activations": [layer.nonlinearity.capitalize()] * both,
                },
                dtypes=(x.dtype, x.dtype),
                shapes=((steps, both, batch, width), (both, batch, width)),
                version=14,
            )
            states.append(state)
            out = out.transpose(1, 2).flatten(2)  # the directions side by side
        return out.transpose(0, 1), torch.cat(states)

    def _weights(self, number: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """W [ways, width, features], R [ways, width, width], B [ways, 2·width]."""
        ends = [f"l{number}", f"l{number}_reverse"][: self.directions]

        def both(name: str) -> Tensor:
            return torch.stack([getattr(self.layer, f"{name}_{end}") for end in ends])

        bias = torch.cat([both("bias_ih"), both("bias_hh")], dim=1) if self.layer.bias else None
        return both("weight_ih"), both("weight_hh"), bias
