"""vit_b_16, written by archdsl from vit.arch."""

from collections import OrderedDict

import torch
from torch import Tensor, nn


class EncoderLayer(nn.Module):
    """Figure 1, on the right: attention among the patches, then a perceptron at each
    of them.
    """

    def __init__(
        self, in_features: int, heads: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(in_features, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(
            in_features, heads, dropout=dropout, batch_first=True
        )
        self.dropout1 = nn.Dropout(p=dropout)
        self.ln_2 = nn.LayerNorm(in_features, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(in_features, hidden),
            nn.GELU(),
            nn.Dropout(p=dropout),
            nn.Linear(hidden, in_features),
            nn.Dropout(p=dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        out = self.ln_1(x)
        out = self.self_attention(out, out, out, need_weights=False)[0]
        x = x + self.dropout1(out)
        out = self.ln_2(x)
        return x + self.mlp(out)


class Transformer(nn.Module):
    """A learned position for every token, then the layers."""

    def __init__(
        self, in_features: int, heads: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(
            nn.init.normal_(torch.empty(1, 197, in_features), std=0.02)
        )
        self.dropout1 = nn.Dropout(p=dropout)
        self.layers = nn.Sequential(
            OrderedDict(
                [
                    (
                        f"encoder_layer_{i}",
                        EncoderLayer(in_features, heads, hidden, dropout),
                    )
                    for i in range(12)
                ],
            ),
        )
        self.ln = nn.LayerNorm(in_features, eps=1e-6)

    def forward(self, tokens: Tensor) -> Tensor:
        x = tokens + self.pos_embedding  # [197, 768]
        x = self.dropout1(x)
        x = self.layers(x)
        return self.ln(x)


class VitB16(nn.Module):
    """Every patch becomes a token; one more token stands before them, and gathers
    what is asked for.
    """

    def __init__(
        self,
        width: int = 768,
        heads: int = 12,
        dropout: float = 0.0,
        classes: int = 1000,
    ) -> None:
        super().__init__()
        self.conv_proj = nn.Conv2d(3, width, kernel_size=16, stride=16)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.encoder = Transformer(width, heads, 4 * width, dropout)
        self.heads = nn.Sequential(OrderedDict([("head", nn.Linear(width, classes))]))

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv_proj(image)  # [768, 14, 14]
        x = torch.flatten(x, 2)  # [768, 196]
        patches = x.transpose(1, 2)  # [196, 768]
        x = torch.cat(
            [self.class_token.expand(patches.shape[0], -1, -1), patches], dim=1
        )
        del patches
        x = self.encoder(x)
        x = x[:, 0]  # [768]
        return self.heads(x)  # [1000]
