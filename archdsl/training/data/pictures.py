"""Reads image files, by Pillow: sizes, channels, and what cannot be read."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

# Named, for among all that Pillow opens there are formats that start other programs.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, MemoryError)
_CLOSED = (Image.DecompressionBombError, Image.DecompressionBombWarning)


class Unreadable(Exception):
    """A file that is no image; the message is the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


def size_of(path: Path) -> tuple[int, int]:
    """Height and width, from the first bytes alone."""
    with _opened(path) as image:
        return image.height, image.width


def read_image(path: Path, size: tuple[int, int] | None, channels: int) -> Tensor:
    """An image [C, H, W] from 0 to 1, stretched to a size."""
    with _opened(path) as opened:
        try:
            image = _in_colours(opened, channels)
            if size is not None and (image.height, image.width) != size:
                image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            pixels = np.asarray(image, dtype=np.float32)
        except _BROKEN as problem:
            raise Unreadable(path, _reason(problem)) from None
    values = torch.from_numpy(pixels / np.float32(1 if image.mode == "F" else 255))
    return values.unsqueeze(0) if values.ndim == 2 else values.movedim(-1, 0).contiguous()


def _in_colours(image: Image.Image, channels: int) -> Image.Image:
    """Grey or red, green and blue; 16 bits keep their precision where grey is asked for."""
    if image.mode.startswith("I"):
        shares = np.asarray(image, dtype=np.float32) / np.float32(65535)
        deep = Image.fromarray(shares.clip(0, 1))
        if channels == 1:
            return deep
        image = Image.fromarray((np.asarray(deep) * 255).round().astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns of the direct way
    return image.convert("L" if channels == 1 else "RGB")


def read_mask(path: Path, size: tuple[int, int] | None) -> Tensor:
    """A mask int[H, W] of what its pixels hold, stretched to the nearest pixel.

    ValueError for a picture in colours, which holds no number at a pixel.
    """
    with _opened(path) as image:
        try:
            image.load()
            if size is not None and (image.height, image.width) != size:
                pixels = np.asarray(image.resize((size[1], size[0]), Image.Resampling.NEAREST))
            else:
                pixels = np.asarray(image)
        except _BROKEN as problem:
            raise Unreadable(path, _reason(problem)) from None
    return torch.from_numpy(_one_number(pixels).astype(np.int64))


def _one_number(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    if pixels.ndim == 2:
        return pixels
    colours = pixels[..., :3] if pixels.shape[-1] > 2 else pixels[..., :1]
    if (colours != colours[..., :1]).any():
        raise ValueError("in colours, and a mask has one number a pixel: grey, or a palette")
    first: npt.NDArray[np.generic] = colours[..., 0]
    return first


def _opened(path: Path) -> Image.Image:
    try:
        if not path.is_file():
            raise Unreadable(path, "no ordinary file")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            return Image.open(path, formats=_FORMATS)
    except _CLOSED:
        limit = f"{Image.MAX_IMAGE_PIXELS:,}"
        raise Unreadable(path, f"of more than {limit} pixels") from None
    except _BROKEN as problem:
        raise Unreadable(path, _reason(problem)) from None


def _reason(problem: Exception) -> str:
    """Why, without the path and the memory address that Pillow puts into its messages."""
    text = str(problem)
    if isinstance(problem, UnidentifiedImageError):
        return "no image"
    if isinstance(problem, OSError) and problem.strerror:
        text = problem.strerror
    if "truncated" in text or "Truncated" in text or "broken data" in text:
        return "cut off"
    return text[:1].lower() + text[1:] if text and "0x" not in text else "damaged"
