"""A graph as a running ``nn.Module``: the generated source, executed."""

from archdsl.backends.torch_module.module import make_module
from archdsl.backends.torch_module.written import load_source

__all__ = ["load_source", "make_module"]
