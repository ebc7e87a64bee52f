"""A recipe as PyTorch: the LightningModule that trains a network, written as by hand."""

from archdsl.backends.torch_training.source import GeneratedTraining, generate_training

__all__ = ["GeneratedTraining", "generate_training"]
