"""A small residual network, built in Python without a specification."""

import torch

import archdsl
from archdsl import Flow


@archdsl.block
def basic(x: Flow, width: int, stride: int = 1) -> Flow:
    """Two convolutions beside a shortcut (He et al., 2015)."""
    y = x.conv(width, 3, stride, padding=1, bias=False).bn().relu()
    y = y.conv(width, 3, padding=1, bias=False).bn()
    if stride != 1 or x.channels != width:
        with x.builder.sequence("downsample"):
            x = x.conv(width, 1, stride, bias=False).bn()
    return (x + y).relu()


b = archdsl.Builder("small_resnet")
x = b.input("image", 3, "H", "W")
x = x.conv(16, 3, padding=1, bias=False).bn().relu()
for level, depth in enumerate([2, 2, 2]):
    with b.sequence(f"layer{level + 1}"):
        for i in range(depth):
            x = basic(x, 16 * 2**level, stride=2 if i == 0 and level > 0 else 1)
x = x.global_avg_pool().flatten().linear(10, name="fc")

graph = b.graph()
print(archdsl.source(graph))

model = archdsl.compile(graph)
logits = model(torch.randn(2, 3, 32, 32))
print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {list(logits.shape)}")
