"""What of a recipe's settings does not go together, or not with the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from archdsl.diagnostics import Diagnostic, Span, suggest
from archdsl.graph import Graph, outputs
from archdsl.recipes.augmenting import check_augmentation
from archdsl.recipes.average_checks import check_averages
from archdsl.recipes.batch_checks import check_batches
from archdsl.recipes.formula import output_name
from archdsl.recipes.parameter_checks import check_parameters
from archdsl.recipes.recipe import Recipe, Term
from archdsl.techniques.class_losses import BinaryCrossEntropy
from archdsl.techniques.schedules import Schedule


def check_recipe(recipe: Recipe, graph: Graph, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """Every mistake and every doubt, in the order of the settings."""
    yield from _unused_outputs(recipe, spans)
    yield from _nothing_in_evaluation(recipe, spans)
    yield from _stages_within_the_run(recipe, spans)
    yield from check_augmentation(recipe, spans)
    yield from _watched(recipe, spans)
    yield from check_batches(recipe, graph, spans)
    yield from _closures(recipe, spans)
    yield from _mixed_precision(recipe, spans)
    yield from check_parameters(recipe, graph, spans)
    yield from check_averages(recipe, spans)


def untaught_outputs(loss: Iterable[Term], graph: Graph) -> tuple[str, ...]:
    """The outputs that no term of the loss takes, and that no such output is made from."""
    import networkx as nx

    used = {o.name for term in loss for o in term.operands if o.origin == "output"}
    nodes = {output_name(graph, node): node for node in outputs(graph)}
    taught: set[str] = set()
    for name in used & nodes.keys():
        taught |= nx.ancestors(graph, nodes[name])
    return tuple(
        name
        for name, node in nodes.items()
        if name not in used and not set(graph.predecessors(node)) <= taught
    )


def _unused_outputs(recipe: Recipe, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    for name in recipe.untaught:
        yield Diagnostic(
            "output-without-loss",
            f"the output {name} has no loss: what leads to it alone is not trained",
            span=spans.get("loss"),
            severity="warning",
        )


def _stages_within_the_run(recipe: Recipe, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """What begins at an epoch that never comes."""
    for key in ("schedule", "freeze", "dropout"):
        stages = getattr(recipe, key)
        if stages and stages[-1].start >= recipe.epochs:
            yield Diagnostic(
                "bad-setting",
                f"{key} changes at epoch {stages[-1].start}, and the run has {recipe.epochs}",
                span=spans.get(key),
                help="epochs are counted from 0",
            )


def _nothing_in_evaluation(recipe: Recipe, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """Every loss is of outputs that evaluation does not have."""
    if any(term.of_data and not term.in_training for term in recipe.loss):
        return
    names = " and ".join(sorted({o.name for t in recipe.loss for o in t.operands if o.training}))
    yield Diagnostic(
        "bad-setting",
        f"every loss here is of {names}, which the network gives in training alone",
        span=spans.get("loss"),
        help="add a loss of an output that evaluation has too",
    )


def logged_names(recipe: Recipe) -> list[str]:
    """What a run logs at an epoch's end: the losses and their terms, the metrics, the rate."""
    several = len(recipe.loss) > 1
    terms = [term.name for term in recipe.loss] if several else []
    measured = [t.name for t in recipe.loss if several and t.of_data and not t.in_training]
    measured += [metric.name for metric in recipe.metrics]
    names = [*(f"train_{name}" for name in ["loss", *terms])]
    return [*names, *(f"val_{name}" for name in ["loss", *measured]), "lr"]


def _watched(recipe: Recipe, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """What is watched is logged, and where it is of validation, there is validation."""
    stopping = getattr(recipe.early_stopping, "monitor", None)
    known = logged_names(recipe)
    for key, name in (("monitor", recipe.monitor), ("early_stopping", stopping)):
        if name is None or name in known:
            continue
        same = f"val_{name}" if f"val_{name}" in known else None
        meant = same or suggest(name, known)
        yield Diagnostic(
            "unknown-name",
            f"nothing that is logged is called {name}",
            span=spans.get(key),
            notes=(f"what is logged is {', '.join(known)}",),
            help=f"did you mean {meant}?" if meant else "",
        )
    if recipe.split[1] or recipe.folds or "split" not in spans:
        return
    stages: tuple[Schedule, ...] = tuple(stage.value for stage in recipe.schedule)
    watching = [("schedule", recipe.watched)] if any(s.watches for s in stages) else []
    if recipe.early_stopping is not None:
        watching.append(("early_stopping", recipe.judged_by))
    for key, name in watching:
        if name.startswith("val_"):
            yield Diagnostic(
                "bad-setting",
                f"{key} watches {name}, and split leaves nothing for validation",
                span=spans.get(key),
                help="give validation a share: split: (0.8, 0.1, 0.1)",
            )


def _closures(recipe: Recipe, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """What evaluates the loss several times a step has one batch, and plain gradients."""
    if not recipe.optimizer.by_closure:
        return
    name = recipe.optimizer.name
    reason = f"{name} computes the loss of a batch several times a step"
    if recipe.accumulate > 1:
        message = f"{reason}, and accumulate makes a step of {recipe.accumulate} batches"
        help = f"leave accumulate out, and set batch_size: {recipe.accumulate * recipe.batch_size}"
        yield Diagnostic("bad-setting", message, span=spans.get("accumulate"), help=help)
    if recipe.precision == "16-mixed":
        yield Diagnostic(
            "bad-setting",
            f"{reason}, which the scaling of gradients of 16-mixed cannot follow",
            span=spans.get("precision"),
            help='write precision: "32" or "bf16-mixed"',
        )
    if recipe.augment:
        yield Diagnostic(
            "bad-setting",
            f"{reason}, and augment would change the batch in between",
            span=spans.get("augment"),
            help="leave augment out, or write another optimizer",
        )


def _mixed_precision(recipe: Recipe, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """The logarithm of a half-precision probability overflows: torch refuses it."""
    if not recipe.precision.endswith("-mixed"):
        return
    for term in recipe.loss:
        prediction = term.operands[0].prediction if term.operands else None
        if (
            isinstance(term.technique, BinaryCrossEntropy)
            and prediction is not None
            and prediction.values == "probabilities"
        ):
            yield Diagnostic(
                "loss-mismatch",
                f"{term.name} of probabilities is not exact enough in {recipe.precision}",
                span=spans.get("precision"),
                help="leave the sigmoid out at the network's end: the loss has it inside",
            )
