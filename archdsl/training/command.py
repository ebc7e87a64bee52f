"""What ``archdsl train`` does once all that can be checked has been."""

from __future__ import annotations

import sys
from dataclasses import replace

from torch import nn

from archdsl.backends.torch_module import make_module
from archdsl.graph import Graph
from archdsl.training.experiment import Experiment, run
from archdsl.training.fit import result_of
from archdsl.training.progress import print_result
from archdsl.training.results import process_rank
from archdsl.training.trainer import Interrupted


def _tell(text: str) -> None:
    if process_rank() == 0:
        print(text, file=sys.stderr)  # noqa: T201 - the command's own words


def train(experiment: Experiment, graph: Graph) -> int:
    """Train, tell what came of it, and give the exit code."""

    def fresh() -> nn.Module:
        return make_module(graph)

    try:
        outcome = run(replace(experiment, tell=_tell), fresh)
    except Interrupted as interrupted:
        _tell(str(interrupted))
        return interrupted.exit_code
    if process_rank() == 0:
        result = result_of(outcome)
        rows = {name: row for name, row in result.items() if isinstance(row, dict)}
        notes = [f"results in {outcome.folder}"] if outcome.folder else []
        print_result(rows, notes=notes)
    return 0
