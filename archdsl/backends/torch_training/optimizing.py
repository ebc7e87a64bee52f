"""``configure_optimizers``: the groups of parameters, the optimizer, the schedule."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from archdsl.backends.torch_training.names import quoted
from archdsl.backends.torch_training.parameters import Groups, Parameters
from archdsl.recipes import Recipe
from archdsl.techniques.schedules import Phase, Schedule


@dataclass
class Needs:
    """What generated methods need around their class: import lines, and helpers by name."""

    imports: set[str] = field(default_factory=set)
    helpers: dict[str, str] = field(default_factory=dict)


def configure_optimizers(recipe: Recipe, groups: Groups, needs: Needs) -> list[str]:
    """The method, as source text."""
    parameters, lines = _parameters(recipe, groups.parameters)
    needs.imports.update(recipe.optimizer.imports)
    made = recipe.optimizer.code(parameters)
    schedule = _schedule(recipe, needs)
    if schedule:
        lines += [f"optimizer = {made}", *schedule]
    else:
        lines.append(f"return {made}")
    body = textwrap.indent("\n".join(lines), "    ")
    return [f"def configure_optimizers(self) -> Any:\n{body}"]


def _parameters(recipe: Recipe, parameters: Parameters) -> tuple[str, list[str]]:
    """The expression for what is optimized, and the statements before it.

    Groups differ by their learning rate (`layer_lr`) and weight decay (`no_decay`).
    """
    optimizer = recipe.optimizer
    rates = {name: factor for chosen, factor in recipe.layer_lr for name in chosen.names}
    spared = set(optimizer.no_decay.names) if optimizer.weight_decay_of else set()
    kinds: dict[tuple[float, bool], list[str]] = {}
    for name in parameters.names:
        kinds.setdefault((rates.get(name, 1.0), name in spared), []).append(name)
    if set(kinds) <= {(1.0, False)}:
        return "self.network.parameters()", []
    lines = ["groups = ["]
    for (factor, bare), names in kinds.items():
        entry = f'"params": {parameters.some(names)}'
        if factor != 1:
            entry += f', "lr": {_times(factor, optimizer.lr)!r}'
        if bare:
            entry += ', "weight_decay": 0.0'
        lines.append(f"    {{{entry}}},")
    return "groups", [*lines, "]"]


def _times(factor: float, rate: float) -> float:
    """A product without the last digits that only binary fractions have: 0.1 * 0.03 is 0.003."""
    return float(f"{factor * rate:.15g}")


# Schedules --------------------------------------------------------------------------------


def _schedule(recipe: Recipe, needs: Needs) -> list[str]:
    """The statements that make the scheduler, and say when it is stepped; none where none is."""
    stages = recipe.rates
    if not stages:
        return []
    by_step = any(s.value.by_step or not float(s.value.warmup).is_integer() for s in stages)
    ends = [*[stage.start for stage in stages[1:]], None]  # the last stage goes on to the end
    steps = "steps" if by_step else ""
    better = recipe.better(recipe.watched)
    phases = [
        (stage.value, Phase(stage.start, end, steps, recipe.optimizer.lr, better))
        for stage, end in zip(stages, ends, strict=True)
    ]
    schedule, phase = phases[0]
    alone = ""
    if len(phases) == 1 and not schedule.warmup and not (recipe.layer_lr and _has_lowest(schedule)):
        alone = schedule.scheduler(phase)
    if alone:
        lines = [f"scheduler = torch.optim.lr_scheduler.{alone}"]
    else:
        lines = _share(phases, needs)
        lines.append("scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, share)")
    length = _length(by_step=by_step, used=bool(re.search(r"\bepochs\b", "\n".join(lines))))
    return [*length, *lines, *_told(recipe, schedule, by_step=by_step)]


def _length(*, by_step: bool, used: bool) -> list[str]:
    """How long the run is: asked of its trainer, as another may make it of another length."""
    epochs = "epochs" if used else "self.trainer.max_epochs"
    lines = ["epochs = self.trainer.max_epochs"] if used else []
    if by_step:
        lines.append(f"steps = self.trainer.estimated_stepping_batches // {epochs}")
    return lines


def _has_lowest(schedule: Schedule) -> bool:
    """Whether torch's class would bring parts of slower rates to the same lowest one."""
    return bool(getattr(schedule, "lowest", 0.0)) and not schedule.watches


def _told(recipe: Recipe, schedule: Schedule, *, by_step: bool) -> list[str]:
    """What Lightning is told: when the scheduler is stepped, and what it watches."""
    if not by_step and not schedule.watches:
        return ["return [optimizer], [scheduler]"]
    more = f'"monitor": {quoted(recipe.watched)}' if schedule.watches else '"interval": "step"'
    return [
        f'stepped = {{"scheduler": scheduler, {more}}}',
        'return {"optimizer": optimizer, "lr_scheduler": stepped}',
    ]


def _share(phases: list[tuple[Schedule, Phase]], needs: Needs) -> list[str]:
    """The function that gives the share of the learning rate at a time."""
    clock = phases[0][1].clock
    found = [line for schedule, phase in phases for line in _phase(schedule, phase, needs)]
    *early, (_, last) = found
    when = "a step" if clock == "step" else "an epoch"
    lines = [
        "",
        f"def share({clock}: int) -> float:",
        f'    """The share of the learning rate at {when}."""',
    ]
    for until, value in early:
        lines += [f"    if {clock} < {until}:", f"        return {value}"]
    return [*lines, f"    return {last}", ""]


def _phase(schedule: Schedule, phase: Phase, needs: Needs) -> Iterator[tuple[str, str]]:
    """Until when, and the share: of the warm-up, where there is one, and of the schedule."""
    start = phase.start
    if schedule.warmup:
        start += schedule.warmup
        length = phase.ticks(schedule.warmup)
        passed = phase.time.removeprefix("(").removesuffix(")")
        over = f"{int(length) + 1}" if length.isdigit() else f"({length} + 1)"
        until = start if phase.end is None else min(start, phase.end)
        yield phase.ticks(until), f"({passed} + 1) / {over}"
    if phase.end is not None and start >= phase.end:  # the warm-up fills it
        return
    code = schedule.share(replace(phase, start=start))
    needs.imports.update(code.imports)
    needs.helpers.update(code.helpers)
    yield "" if phase.end is None else phase.ticks(phase.end), code.call
