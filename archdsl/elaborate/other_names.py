"""What layers are called elsewhere, for who writes those names here."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_ELSEWHERE = {
    "averagepooling": "avg_pool",
    "averagepool": "avg_pool",
    "batchnormalization": "bn",
    "concatenate": "concat",
    "convolution": "conv",
    "cropping": "crop",
    "deconv": "conv_transpose",
    "deconvolution": "conv_transpose",
    "dense": "linear",
    "fc": "linear",
    "fullyconnected": "linear",
    "gap": "global_avg_pool",
    "globalaveragepooling": "global_avg_pool",
    "globalmaxpooling": "global_max_pool",
    "gmp": "global_max_pool",
    "instancenormalization": "instance_norm",
    "interpolate": "resize",
    "layernormalization": "layer_norm",
    "maxpooling": "max_pool",
    "mha": "attention",
    "mhsa": "attention",
    "multiheadattention": "attention",
    "multiply": "mul",
    "selfattention": "attention",
    "subtract": "sub",
    "transposedconv": "conv_transpose",
    "upconv": "conv_transpose",
    "upsampling": "upsample",
    "view": "reshape",
    "zeropad": "pad",
    "zeropadding": "pad",
}
"""Names of PyTorch, Keras and papers, without underscores and the number of dimensions."""

_IN_OTHER_WORDS = {
    "dropout1d": "whole channels are dropped by spatial_dropout",
    "dropout2d": "whole channels are dropped by spatial_dropout",
    "dropout3d": "whole channels are dropped by spatial_dropout",
    "spatialdropout1d": "write spatial_dropout, whatever the number of axes",
    "spatialdropout2d": "write spatial_dropout, whatever the number of axes",
    "spatialdropout3d": "write spatial_dropout, whatever the number of axes",
    "depthwiseconv": "a group for each channel: conv(it.channels, 3, groups = it.channels)",
    "dwconv": "a group for each channel: conv(it.channels, 3, groups = it.channels)",
    "positionalencoding": "sinusoidal_position adds sines, position_embedding what is learned",
    "positionalembedding": "position_embedding is learned, sinusoidal_position adds sines",
    "bidirectional": "the layer is told so: lstm(128, bidirectional = true)",
    "activation": "an activation is a layer of its own: … -> relu",
}
_IN_STD = {
    "depthwiseseparableconv": "separable_conv",
    "sepconv": "separable_conv",
    "separableconvolution": "separable_conv",
    "se": "squeeze_excite",
    "squeezeandexcite": "squeeze_excite",
    "squeezeexcitation": "squeeze_excite",
    "mbconv": "inverted_residual",
    "ffn": "feed_forward",
    "mlp": "feed_forward",
    "transformerencoderlayer": "encoder_layer",
    "transformerdecoderlayer": "decoder_layer",
}


def help_for(name: str) -> str:
    """What to write in the place of a name that means a layer elsewhere; nothing for others."""
    plain = name.lower().replace("_", "")
    short = re.sub(r"[123]d$", "", plain)
    for known in (plain, short):
        if known in _IN_OTHER_WORDS:
            return _IN_OTHER_WORDS[known]
        if known in _ELSEWHERE:
            return f"write {_ELSEWHERE[known]}"
    for block in _blocks_of_std():
        if block.replace("_", "") in (plain, short) or _IN_STD.get(short) == block:
            return f"it is a block of the library: from std import {block}"
    return ""


@cache
def _blocks_of_std() -> tuple[str, ...]:
    """The blocks that can be imported from ``std``."""
    folder = Path(__file__).resolve().parent.parent / "std"
    texts = (path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.arch")))
    return tuple(re.findall(r"^(?:block|sequence) (\w+)", "\n".join(texts), re.MULTILINE))
