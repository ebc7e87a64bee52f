"""lstm_written_out, written by archdsl from recurrent.arch."""

import torch
from torch import Tensor, nn


class LstmWrittenOut(nn.Module):
    """The same for the LSTM: gates say what the cell forgets, what it takes in, and
    what it shows.
    """

    def __init__(self, width: int = 64, classes: int = 10) -> None:
        super().__init__()
        self.forget_gate = nn.Linear(16 + width, width)
        self.sigmoid1 = nn.Sigmoid()
        self.input_gate = nn.Linear(16 + width, width)
        self.sigmoid2 = nn.Sigmoid()
        self.candidate = nn.Linear(16 + width, width)
        self.tanh1 = nn.Tanh()
        self.output_gate = nn.Linear(16 + width, width)
        self.sigmoid3 = nn.Sigmoid()
        self.tanh2 = nn.Tanh()
        self.fc = nn.Linear(width, classes)
        self.width = width

    def forward(self, sequence: Tensor) -> Tensor:
        h = sequence.new_zeros(sequence.shape[0], self.width)  # [64]
        c = sequence.new_zeros(sequence.shape[0], self.width)
        outputs = []
        for step in sequence.unbind(1):
            seen = torch.cat([step, h], dim=1)  # [80]
            forget = self.sigmoid1(self.forget_gate(seen))  # [64]
            take = self.sigmoid2(self.input_gate(seen))
            news = self.tanh1(self.candidate(seen))
            show = self.sigmoid3(self.output_gate(seen))
            x = forget * c
            out = take * news
            c = x + out
            h = show * self.tanh2(c)
            outputs.append(h)
        x = torch.stack(outputs, dim=1)  # [T, 64]
        x = x[:, -1]  # [64]
        return self.fc(x)  # [10]
