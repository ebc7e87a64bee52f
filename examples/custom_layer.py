"""A layer of one's own, used from text as any other. Run it from anywhere."""

from collections.abc import Sequence

import torch

import archdsl
from archdsl.ops import Code, Need, Op, Tensor, module, number, positional

SNAKE = '''
class Snake(nn.Module):
    """x + sin²(a·x) / a, with a learned frequency."""

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.tensor(frequency))

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sin(self.frequency * x) ** 2 / self.frequency
'''


@archdsl.layer("snake")
class Snake(Op):
    """A periodic activation: x + sin²(a·x) / a (Ziyin et al., 2020)."""

    example = "snake(2.0)"

    frequency: float = number(default=1.0, above=0, doc="what a starts from")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        return (inputs[0],)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return {"frequency": ()}

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        frequency = positional("frequency", float(self.frequency))
        return module("Snake", frequency, helpers={"Snake": SNAKE})


spec = archdsl.loads("""
network wave {
    input x: [1]
    linear(32) -> snake(2.0)
    linear(32) -> snake
    linear(1)
}
""")
print(archdsl.source(spec))
model = archdsl.compile(spec)
print(list(model(torch.randn(8, 1)).shape), [name for name, _ in model.named_parameters()])
