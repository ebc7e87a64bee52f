"""ResNet-50, from its specification to a forward pass. Run it from the repository's root."""

import torch

import archdsl

model = archdsl.compile("specs/resnet.arch:resnet50")
model.eval()

parameters = sum(weights.numel() for weights in model.parameters())
print(f"resnet50: {parameters:,} parameters")

image = torch.randn(1, 3, 224, 224)
with torch.inference_mode():
    logits = model(image)
print(f"{list(image.shape)} -> {list(logits.shape)}")
