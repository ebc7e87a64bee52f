"""What a recipe does to parameters that cannot be, or that is hardly meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archdsl.diagnostics import Diagnostic, Span
from archdsl.graph import Graph
from archdsl.recipes.parts import trained_parameters
from archdsl.recipes.problems import Problem, told
from archdsl.recipes.recipe import Recipe
from archdsl.techniques.penalties import Penalty
from archdsl.techniques.schedules import MultiStep, OneCycle, Schedule


def check_parameters(
    recipe: Recipe, graph: Graph, spans: Mapping[str, Span]
) -> Iterator[Diagnostic]:
    """Every mistake and every doubt."""
    for found in (_optimizer, _schedule, _products, _frozen):
        yield from told(found(recipe), spans)
    yield from _milestones(recipe, spans)
    yield from _no_dropout(recipe, spans)
    yield from _symmetric(recipe, graph, spans)


def _optimizer(recipe: Recipe) -> Iterator[Problem]:
    if recipe.optimizer.by_closure and recipe.layer_lr:
        name = recipe.optimizer.name
        yield "layer_lr", f"{name} has one learning rate for all parameters", "leave layer_lr out"


def _schedule(recipe: Recipe) -> Iterator[Problem]:
    stages = recipe.schedule
    ends = [*[stage.start for stage in stages[1:]], recipe.epochs]
    for stage, end in zip(stages, ends, strict=False):  # no stages: an end is left
        schedule: Schedule = stage.value
        if schedule.watches and len(stages) > 1:
            message = f"{schedule.name} hangs on what is measured, and stands alone"
            yield "schedule", message, "leave out what stands before or behind it"
        if schedule.warmup and schedule.warmup >= end - stage.start:
            message = (
                f"the warm-up of {schedule.name} lasts {schedule.warmup:g} epochs, "
                f"and all of it {max(end - stage.start, 0)}"
            )
            yield "schedule", message, "make it shorter, or the run longer: epochs"
        if isinstance(schedule, MultiStep) and min(schedule.at) <= stage.start > 0:
            message = (
                f"multi_step lists epoch {min(schedule.at)}, and begins at epoch {stage.start}"
            )
            yield "schedule", message, "list epochs of the whole run that come later"
        if isinstance(schedule, OneCycle) and schedule.cycle_momentum:
            yield from _cycled_momentum(recipe, alone=len(stages) == 1)


def _milestones(recipe: Recipe, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """Steps of a schedule that the run does not live to see."""
    stages = recipe.schedule
    ends = [*[stage.start for stage in stages[1:]], recipe.epochs]
    for stage, end in zip(stages, ends, strict=False):
        late = [n for n in getattr(stage.value, "at", ()) if n >= end]
        if late:
            whole = end == recipe.epochs
            until = f"the run has {end} epochs" if whole else f"the next begins at epoch {end}"
            yield Diagnostic(
                "epoch-not-reached",
                f"multi_step lists epoch {', '.join(map(str, late))}, and {until}",
                span=spans.get("schedule"),
                text="the rate does not change there",
                severity="warning",
                help="epochs are counted from 0",
            )


def _cycled_momentum(recipe: Recipe, *, alone: bool) -> Iterator[Problem]:
    if not alone:
        message = "one_cycle moves the momentum only where it is the whole schedule"
        yield "schedule", message, "leave cycle_momentum out"
    elif not hasattr(recipe.optimizer, "momentum") and not hasattr(recipe.optimizer, "betas"):
        message = f"{recipe.optimizer.name} has no momentum that one_cycle could move"
        yield "schedule", message, "leave cycle_momentum out"


def _products(recipe: Recipe) -> Iterator[Problem]:
    """What weights that are products cannot take: it would be of the factors."""
    if recipe.reparametrize is None:
        return
    products = set(recipe.reparametrize.of.names)
    for term in recipe.loss:
        if isinstance(term.technique, Penalty) and not term.technique.of_products:
            yield from _of_products("loss", term.name, term.technique.of.names, products)
    for constraint in recipe.constraints:
        yield from _of_products("constraint", constraint.name, constraint.of.names, products)
    if recipe.average is not None:
        message = f"{recipe.average.name} is of weights, and these are products"
        yield "average", message, "leave out average, or reparametrize"


def _of_products(
    key: str, name: str, chosen: tuple[str, ...], products: set[str]
) -> Iterator[Problem]:
    both = [n for n in chosen if n in products]
    if both:
        message = f"{name} is of {both[0]}, which is a product while it is trained"
        yield key, message, "l2 of a product makes it sparse, as l1 does of a plain weight"


def _frozen(recipe: Recipe) -> Iterator[Problem]:
    every = {p.name for p in trained_parameters(recipe.parts)}
    for stage in recipe.freeze:
        if every and every <= set(stage.value.names):
            message = f"from epoch {stage.start} on every parameter is frozen: nothing is trained"
            yield "freeze", message, "leave the last layers out"


def _no_dropout(recipe: Recipe, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    if recipe.dropout and not any(part.dropout for part in recipe.parts):
        yield Diagnostic(
            "bad-setting",
            "the network has no dropout to switch",
            span=spans.get("dropout"),
            help="add one: dropout(0.5)",
        )


def _symmetric(recipe: Recipe, graph: Graph, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """Weights of a hidden layer that all start alike: its units may never learn to differ."""
    alike: dict[str, str] = {}
    for initialization in recipe.initialize:
        for name in initialization.of.names:
            alike.pop(name, None)
            if initialization.alike:
                alike[name] = str(initialization).partition("(")[0]
    weights = {p.name: p.part.path for p in trained_parameters(recipe.parts) if p.kind == "weights"}
    hidden = _hidden(graph, set(weights.values()))
    found = [name for name in alike if weights.get(name) in hidden]
    if not found:
        return
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    yield Diagnostic(
        "symmetric-weights",
        f"{alike[found[0]]} makes all units of {weights[found[0]]}{more} alike",
        span=spans.get("initialize"),
        text="units that start alike get the same gradient, and stay alike",
        severity="warning",
        help="fill the weights of hidden layers at random: he, xavier, orthogonal, normal",
    )


def _hidden(graph: Graph, weighted: set[str]) -> set[str]:
    """The layers with weights that another one comes behind."""
    import networkx as nx

    nodes = [n for n, data in graph.nodes(data=True) if (data.get("path") or n) in weighted]
    before: set[str] = set()
    for node in nodes:
        before |= nx.ancestors(graph, node)
    return {graph.nodes[n].get("path") or n for n in nodes if n in before}
