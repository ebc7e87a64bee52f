"""Networks as people write them in PyTorch, named as in torchvision: to compare with."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn


def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps height and width but for its stride, without a bias."""
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3 with the stride, and 1x1 to four times as many."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = conv(inputs, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv(width, outputs, 1)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += identity
        activated: Tensor = self.relu(out)
        return activated


class ResNet(nn.Module):
    """The residual network of He, Zhang, Ren and Sun (2015), deep enough for bottlenecks."""

    def __init__(self, depths: tuple[int, ...], classes: int = 1000) -> None:
        super().__init__()
        self.inputs = 64
        self.conv1 = conv(3, 64, 7, stride=2)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._layer(64, depths[0], stride=1)
        self.layer2 = self._layer(128, depths[1], stride=2)
        self.layer3 = self._layer(256, depths[2], stride=2)
        self.layer4 = self._layer(512, depths[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * Bottleneck.expansion, classes)

    def _layer(self, width: int, depth: int, stride: int) -> nn.Sequential:
        blocks = []
        for i in range(depth):
            blocks.append(Bottleneck(self.inputs, width, stride if i == 0 else 1))
            self.inputs = width * Bottleneck.expansion
        return nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        scores: Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return scores


def resnet50() -> ResNet:
    """ResNet-50."""
    return ResNet((3, 4, 6, 3))


def resnet152() -> ResNet:
    """ResNet-152."""
    return ResNet((3, 8, 36, 3))


class DenseLayer(nn.Module):
    """What one layer of a dense block adds to all before it."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = conv(inputs, 4 * growth, 1)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = conv(4 * growth, growth, 3)

    def forward(self, features: list[Tensor]) -> Tensor:
        x = self.conv1(self.relu1(self.norm1(torch.cat(features, 1))))
        added: Tensor = self.conv2(self.relu2(self.norm2(x)))
        return added


class DenseBlock(nn.ModuleDict):
    """Layers each of which reads all before it."""

    def __init__(self, depth: int, inputs: int, growth: int) -> None:
        super().__init__()
        for i in range(depth):
            self[f"denselayer{i + 1}"] = DenseLayer(inputs + i * growth, growth)

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


class Transition(nn.Sequential):
    """Half the channels at half the size."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv = conv(inputs, inputs // 2, 1)
        self.pool = nn.AvgPool2d(2, stride=2)


class DenseNet(nn.Module):
    """The densely connected network of Huang, Liu, van der Maaten and Weinberger (2017)."""

    def __init__(self, depths: tuple[int, ...], growth: int = 32, classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv0", conv(3, 64, 7, stride=2))
        self.features.add_module("norm0", nn.BatchNorm2d(64))
        self.features.add_module("relu0", nn.ReLU(inplace=True))
        self.features.add_module("pool0", nn.MaxPool2d(3, stride=2, padding=1))
        width = 64
        for i, depth in enumerate(depths, start=1):
            self.features.add_module(f"denseblock{i}", DenseBlock(depth, width, growth))
            width += depth * growth
            if i < len(depths):
                self.features.add_module(f"transition{i}", Transition(width))
                width //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(width))
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.relu(self.features(x), inplace=True)
        x = torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1)
        scores: Tensor = self.classifier(x)
        return scores


def densenet121() -> DenseNet:
    """DenseNet-121."""
    return DenseNet((6, 12, 24, 16))


class Basic(nn.Module):
    """Two convolutions of 3x3; where the shape changes, a shortcut without parameters."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(inputs, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.stride = stride
        self.added = width - inputs

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.added:
            x = nn.functional.max_pool2d(x, 1, self.stride)
            x = nn.functional.pad(x, (0, 0, 0, 0, 0, self.added))
        out += x
        activated: Tensor = self.relu(out)
        return activated


class CifarResNet(nn.Module):
    """The network of section 4.2 of He, Zhang, Ren and Sun (2015)."""

    def __init__(self, depth: int, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = conv(3, 16, 3)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        more = [Basic(16, 16, 1) for _ in range(depth)]
        self.layer1 = nn.Sequential(*more)
        self.layer2 = nn.Sequential(Basic(16, 32, 2), *[Basic(32, 32, 1) for _ in more[1:]])
        self.layer3 = nn.Sequential(Basic(32, 64, 2), *[Basic(64, 64, 1) for _ in more[1:]])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        scores: Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return scores


def resnet20() -> CifarResNet:
    """ResNet-20."""
    return CifarResNet(3)


class EncoderBlock(nn.Module):
    """Attention among the patches, then a perceptron at each of them, both behind a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(0.0),
            nn.Linear(4 * width, width),
            nn.Dropout(0.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        out = self.ln_1(x)
        out, _ = self.self_attention(out, out, out, need_weights=False)
        x = x + out
        given: Tensor = x + self.mlp(self.ln_2(x))
        return given


class Encoder(nn.Module):
    """A learned position for every token, then the blocks."""

    def __init__(self, tokens: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, tokens, width).normal_(std=0.02))
        blocks = {f"encoder_layer_{i}": EncoderBlock(width, heads) for i in range(depth)}
        self.layers = nn.Sequential(OrderedDict(blocks))
        self.ln = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.ln(self.layers(x + self.pos_embedding))
        return normed


class VisionTransformer(nn.Module):
    """The transformer of Dosovitskiy et al. (2020), for images of 224 and patches of 16."""

    def __init__(self, width: int, heads: int, depth: int, classes: int = 1000) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.conv_proj = nn.Conv2d(3, width, 16, 16)
        self.encoder = Encoder(197, width, heads, depth)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(width, classes)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)
        scores: Tensor = self.heads(self.encoder(x)[:, 0])
        return scores


def vit_b_16() -> VisionTransformer:
    """ViT-B/16."""
    return VisionTransformer(768, 12, 12)
