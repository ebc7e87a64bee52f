"""A graph as an ONNX file, written by torch's exporter."""

from archdsl.backends.torch_export.export import export_onnx, write_onnx

__all__ = ["export_onnx", "write_onnx"]
