"""ode_net, written by archdsl from neural_ode.arch."""

import torch
from torch import Tensor, nn


class Ode(nn.Module):
    """The state h follows h' = f(h) from time 0 to 1, in Euler steps h + f(h) /
    steps. Every step is a residual unit with the same weights: more steps follow
    the flow more closely, at no weight more. (The paper's f sees the time, too.)
    """

    def __init__(self, in_channels: int, steps: int) -> None:
        super().__init__()
        self.group_norm1 = nn.GroupNorm(32, in_channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(in_channels, in_channels, kernel_size=3, padding=1)
        self.group_norm2 = nn.GroupNorm(32, in_channels)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(in_channels, in_channels, kernel_size=3, padding=1)
        self.group_norm3 = nn.GroupNorm(32, in_channels)
        self.factor = 1 / steps

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(8):
            out = self.conv1(self.relu1(self.group_norm1(x)))  # [64, 6, 6]
            out = self.conv2(self.relu2(self.group_norm2(out)))
            out = self.group_norm3(out) * self.factor
            x = x + out
        return x


class OdeNet(nn.Module):
    """The paper's network for MNIST."""

    def __init__(self, width: int = 64, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, kernel_size=3)
        self.group_norm1 = nn.GroupNorm(32, width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, kernel_size=4, stride=2, padding=1)
        self.group_norm2 = nn.GroupNorm(32, width)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(width, width, kernel_size=4, stride=2, padding=1)
        self.ode1 = Ode(width, 8)
        self.group_norm3 = nn.GroupNorm(32, width)
        self.relu3 = nn.ReLU()
        self.global_avg_pool1 = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = self.relu1(self.group_norm1(self.conv1(image)))  # [64, 26, 26]
        x = self.relu2(self.group_norm2(self.conv2(x)))  # [64, 13, 13]
        x = self.conv3(x)  # [64, 6, 6]
        x = self.ode1(x)
        x = self.relu3(self.group_norm3(x))
        x = torch.flatten(self.global_avg_pool1(x), 1)  # [64]
        return self.fc(x)  # [10]
