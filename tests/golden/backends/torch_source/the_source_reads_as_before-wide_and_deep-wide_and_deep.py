"""wide_and_deep, written by archdsl from wide_and_deep.arch."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class WideAndDeepOutput(NamedTuple):
    """What the network gives."""

    main: Tensor
    aux: Tensor


class WideAndDeep(nn.Module):
    """The wide path memorizes what stands in the data, the deep one generalizes. A
    second output on the deep path alone keeps it learning.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear1 = nn.Linear(6, 30)
        self.relu1 = nn.ReLU()
        self.linear2 = nn.Linear(30, 30)
        self.relu2 = nn.ReLU()
        self.linear3 = nn.Linear(35, 1)
        self.linear4 = nn.Linear(30, 1)

    def forward(self, wide: Tensor, deep: Tensor) -> WideAndDeepOutput:
        abstract = self.relu2(self.linear2(self.relu1(self.linear1(deep))))  # [30]
        x = torch.cat([wide, abstract], dim=1)  # [35]
        main = self.linear3(x)  # [1]
        aux = self.linear4(abstract)
        return WideAndDeepOutput(main, aux)
