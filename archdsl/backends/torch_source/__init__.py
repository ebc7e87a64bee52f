"""PyTorch source from a graph: a class for every block, written as by hand."""

from archdsl.backends.torch_source.source import Generated, generate

__all__ = ["Generated", "generate"]
