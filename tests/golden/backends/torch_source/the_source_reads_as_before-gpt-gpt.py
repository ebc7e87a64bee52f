"""gpt, written by archdsl from gpt.arch."""

import torch
from torch import Tensor, nn


def causal_mask(x: torch.Tensor) -> torch.Tensor:
    """True where a position of x [batch, positions, …] must not look: at those after it."""
    length = x.shape[1]
    return torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)


class Decoder(nn.Module):
    """Tokens look back at those before them; then each is worked on by itself."""

    def __init__(self, in_features: int, heads: int, drop: float) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(in_features)
        self.attention1 = nn.MultiheadAttention(
            in_features, heads, dropout=drop, batch_first=True
        )
        self.dropout1 = nn.Dropout(p=drop)
        self.layer_norm2 = nn.LayerNorm(in_features)
        self.linear1 = nn.Linear(in_features, 4 * in_features)
        self.gelu1 = nn.GELU(approximate="tanh")
        self.linear2 = nn.Linear(4 * in_features, in_features)
        self.dropout2 = nn.Dropout(p=drop)

    def forward(self, x: Tensor) -> Tensor:
        out = self.layer_norm1(x)
        out = self.attention1(
            out,
            out,
            out,
            attn_mask=causal_mask(out),
            is_causal=True,
            need_weights=False,
        )[0]
        x = x + self.dropout1(out)
        out = self.gelu1(self.linear1(self.layer_norm2(x)))
        return x + self.dropout2(self.linear2(out))


class Gpt(nn.Module):
    """For every token, the scores of the token that comes next."""

    def __init__(
        self,
        heads: int = 12,
        width: int = 768,
        context: int = 1024,
        vocabulary: int = 50257,
        drop: float = 0.1,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.position_embedding1 = nn.Embedding(context, width)
        self.dropout1 = nn.Dropout(p=drop)
        for i in range(12):
            self.add_module(f"decoder{i + 1}", Decoder(width, heads, drop))
        self.layer_norm1 = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)  # [T, 768]
        x = x + self.position_embedding1(torch.arange(x.shape[1], device=x.device))
        x = self.dropout1(x)
        for i in range(12):
            x = getattr(self, f"decoder{i + 1}")(x)
        x = self.layer_norm1(x)
        return self.head(x)  # [T, 50257]
