"""Data for training: ``open_data`` finds it, fits it to the network, splits, scales, serves it."""

from archdsl.training.data.data import Data
from archdsl.training.data.loaders import Loaders
from archdsl.training.data.opening import open_data, open_inputs
from archdsl.training.data.scaling import Scale

__all__ = ["Data", "Loaders", "Scale", "open_data", "open_inputs"]
