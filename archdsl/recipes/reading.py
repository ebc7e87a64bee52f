"""A ``train`` block as a Recipe: every setting read, and then what they mean together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archdsl.diagnostics import Diagnostic, Span
from archdsl.elaborate.values import Env, Poisoned, Stop
from archdsl.graph import Graph, Wiring
from archdsl.passes.shapes import input_types
from archdsl.recipes.applying import Reading
from archdsl.recipes.batch_checks import layers_that_need_several
from archdsl.recipes.checks import check_recipe, untaught_outputs
from archdsl.recipes.demands import demands_of
from archdsl.recipes.formula import Tensors, tensors_of
from archdsl.recipes.hints import instead_of
from archdsl.recipes.layers import layer_constraints, layer_terms
from archdsl.recipes.measuring import choose_metrics
from archdsl.recipes.parts import parts_of, trained_parameters
from archdsl.recipes.recipe import Measured, Recipe, Term
from archdsl.recipes.settings import SETTINGS, key_span, links
from archdsl.syntax import ast
from archdsl.techniques.losses import Loss, Wanted
from archdsl.techniques.metrics import Metric


def read_recipe(
    train: ast.Train, graph: Graph, env: Env, changes: Iterable[ast.Entry] = ()
) -> tuple[Recipe | None, tuple[Diagnostic, ...]]:
    """The recipe of a block for a checked network, and what is to be said of it.

    ``changes`` are settings that take the place of the block's. The recipe is None where there is
    an error among the diagnostics.
    """
    wiring = Wiring(graph)
    parts = parts_of(wiring)
    reading = Reading(graph, env, trained_parameters(parts))
    entries, spans = _entries(train, changes, reading)
    values: dict[str, Any] = {}
    for key, entry in entries.items():
        setting = SETTINGS[key]
        try:
            values[setting.field or key] = setting.read(entry.value, reading)
        except Stop as stop:
            reading.diagnostics.append(stop.diagnostic)
        except Poisoned:
            pass
    if "loss" not in entries:
        reading.diagnostics.append(_no_loss(train))
    if reading.diagnostics or not values.get("loss"):
        return None, tuple(reading.diagnostics)
    values["parts"] = parts
    values["demands"] = demands_of(wiring)
    values["loss"] += layer_terms(graph, parts, {term.name for term in values["loss"]})
    values["constraints"] = (*values.get("constraints", ()), *layer_constraints(graph, parts))
    recipe, found = _together(train, graph, values, spans)
    failed = any(d.severity == "error" for d in found)
    return (None if failed else recipe), found


def _entries(
    train: ast.Train, changes: Iterable[ast.Entry], reading: Reading
) -> tuple[dict[str, ast.Entry], dict[str, Span]]:
    """The entries by key, changes in the place of what was written; unknown keys are reported."""
    found: dict[str, ast.Entry] = {}
    for entry in train.entries:
        if entry.key in found:
            reading.diagnostics.append(_twice(entry, found[entry.key]))
        elif entry.key not in SETTINGS:
            reading.diagnostics.append(unknown_setting(entry, train))
        else:
            found[entry.key] = entry
    for entry in changes:
        if entry.key in SETTINGS:
            found[entry.key] = entry
        else:
            reading.diagnostics.append(unknown_setting(entry, train))
    return found, _spans(found)


def _spans(entries: Mapping[str, ast.Entry]) -> dict[str, Span]:
    """The places of the settings, and as ``augment.0`` of the links of their chains."""
    spans = {key: entry.span for key, entry in entries.items()}
    for key, entry in entries.items():
        for index, link in enumerate(links(entry.value)):
            spans[f"{key}.{index}"] = link.span
    return spans


def unknown_setting(entry: ast.Entry, train: ast.Train) -> Diagnostic:
    """The error for a key that no setting has."""
    written = (e.value for e in train.entries if e.key == "optimizer")
    match next(written, None):
        case ast.Name(id=name) | ast.Call(callee=ast.Name(id=name)):
            help = instead_of(entry.key, entry.value, SETTINGS, name)
        case _:
            help = instead_of(entry.key, entry.value, SETTINGS)
    return Diagnostic(
        "unknown-setting",
        f"there is no setting {entry.key}",
        span=key_span(entry),
        notes=() if help else (f"the settings are {', '.join(SETTINGS)}",),
        help=help,
    )


def _twice(entry: ast.Entry, first: ast.Entry) -> Diagnostic:
    return Diagnostic(
        "duplicate-name",
        f"{entry.key} is set twice",
        span=key_span(entry),
        notes=(f"first at {first.span}",),
    )


def _no_loss(train: ast.Train) -> Diagnostic:
    return Diagnostic(
        "bad-setting",
        "this block has no loss",
        span=Span(train.span.source, train.span.start, train.span.start + len("train")),
        help="say what the network is to learn: loss: cross_entropy",
    )


def _together(
    train: ast.Train, graph: Graph, values: Mapping[str, Any], spans: Mapping[str, Span]
) -> tuple[Recipe | None, tuple[Diagnostic, ...]]:
    """The recipe of values that were read, and what is wrong of them together."""
    found: list[Diagnostic] = []
    terms: tuple[Term, ...] = values["loss"]
    tensors = tensors_of(graph)
    targets = _targets(terms, spans["loss"], found)
    metrics = _metrics(values.get("metrics"), terms, spans, found)
    known = {k: v for k, v in values.items() if k not in ("loss", "metrics")}
    recipe = Recipe(
        network=str(graph.graph.get("name") or "network"),
        name=train.name or "",
        doc=train.doc,
        loss=terms,
        inputs=input_types(graph),
        outputs=_in_order(tensors),
        auxiliary=tuple(o.name for o in tensors.outputs.values() if o.training),
        untaught=untaught_outputs(terms, graph),
        targets=targets,
        metrics=metrics,
        **known,
    )
    several = layers_that_need_several(recipe, graph)
    recipe = recipe.replace(least_batch=max(several.values(), default=1))
    found.extend(check_recipe(recipe, graph, spans))
    return recipe, tuple(found)


def _metrics(
    asked: Sequence[Metric] | None,
    terms: Sequence[Term],
    spans: Mapping[str, Span],
    found: list[Diagnostic],
) -> tuple[Measured, ...]:
    """What is measured; what nothing can be measured by is refused."""
    metrics, refused = choose_metrics(asked, terms)
    for index, problem in refused:
        span = spans.get(f"metrics.{index}")
        found.append(Diagnostic(problem.code, problem.message, span, help=problem.help))
    names = [measured.name for measured in metrics]
    for name in sorted({name for name in names if names.count(name) > 1}):
        message = f"{name} is measured twice"
        found.append(Diagnostic("duplicate-name", message, spans.get("metrics")))
    return metrics


def _in_order(tensors: Tensors) -> tuple[str, ...]:
    every = tensors.outputs.values()
    return tuple(o.name for o in sorted(every, key=lambda o: o.training))


def _targets(terms: Iterable[Term], span: Span, found: list[Diagnostic]) -> dict[str, Wanted]:
    """What the terms want of the data, by target; two that want different things are refused."""
    targets: dict[str, Wanted] = {}
    for term in terms:
        if not isinstance(term.technique, Loss) or not term.operands:
            continue
        last = term.operands[-1]
        first = term.operands[0].prediction
        if last.origin != "target" or first is None:
            continue
        wanted = term.technique.wanted(first)
        known = targets.setdefault(last.name, wanted)
        if known != wanted:
            found.append(
                Diagnostic(
                    "loss-mismatch",
                    f"two terms want different things of {last.name}",
                    span=span,
                    notes=(f"one wants {known}, and {term.name} wants {wanted}",),
                    help="name the targets of the data: "
                    f"{term.technique.name}({term.operands[0].name}, other_target)",
                )
            )
    return targets
