"""Costs: the sum of the nodes' is the network's, and multiply-adds are those that torch counts."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.dims import evaluate, symbol
from archdsl.graph import Graph
from archdsl.passes.cost import Cost, count_cost, node_costs
from tests.passes.zoo_networks import Network, given, networks, on_meta, small_sizes

BATCH = 2


def network(text: str) -> Graph:
    return archdsl.graph(archdsl.loads(text))


# torch's counter knows products alone: matrices, convolutions, attention. So does ours, for all
# that the zoo has: norms, activations, pools and merges cost nothing in either.
@pytest.mark.parametrize("found", networks(), ids=str)
def test_multiply_adds_of_the_zoo_are_those_that_torch_counts(found: Network) -> None:
    graph = found.graph()
    module = on_meta(graph).eval()
    # Of its fused kernels for attention torch counts nothing.
    with (
        torch.no_grad(),
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        module(*given(graph, batch=BATCH))
    counted = counter.get_total_flops()  # two for a multiply-add
    assert counted > 0
    assert count_cost(graph, small_sizes(graph)).multiply_adds * 2 * BATCH == counted
    shared = {id(p): p.numel() for p in module.parameters()}
    assert count_cost(graph).parameters == sum(shared.values())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "found",
    [
        Network("googlenet", "googlenet"),
        Network("siamese", "siamese"),
        Network("gpt", "gpt_tiny"),
        Network("recurrent", "lstm_written_out"),
        Network("neural_ode", "ode_net"),
    ],
    ids=str,
)
def test_the_nodes_costs_add_up_to_the_networks(found: Network, training: bool) -> None:
    graph = found.graph()
    sizes = small_sizes(graph)
    for at in (None, sizes):
        costs = node_costs(graph, at, training=training)
        assert list(costs) == list(graph)
        assert count_cost(graph, at, training=training) == Cost(
            sum(cost.parameters for cost in costs.values()),
            sum((cost.multiply_adds for cost in costs.values()), start=0),
        )
    free = count_cost(graph, training=training).multiply_adds
    assert evaluate(free, sizes) == count_cost(graph, sizes, training=training).multiply_adds


def test_layers_in_a_scan_cost_all_its_steps() -> None:
    graph = network(
        """network n {
            input x: [T, 5, 3]
            scan h = zeros(7) { flatten -> inside: linear(7) -> add(it, h) as h }
            last: linear(2)
        }"""
    )
    costs = node_costs(graph)
    assert costs["inside"] == Cost(15 * 7 + 7, 105 * symbol("T"))
    assert costs["last"] == Cost(16, 14 * symbol("T"))


def test_shared_parameters_count_at_the_first_node_and_multiply_adds_at_each() -> None:
    graph = network("network n { input x: [4]\nrepeat 3 shared { linear(4, bias = false) } }")
    found = [c for node, c in node_costs(graph).items() if graph.nodes[node]["op"] == "linear"]
    assert found == [Cost(16, 16), Cost(0, 16), Cost(0, 16)]


def test_a_tied_weight_counts_where_it_is() -> None:
    graph = network(
        """network n {
            input x: int[T]
            embed: embedding(9, 4)
            head: linear(9, bias = true, tie = embed.weight)
        }"""
    )
    costs = node_costs(graph)
    assert (costs["embed"].parameters, costs["head"].parameters) == (36, 9)


def test_what_is_given_in_training_alone_costs_multiply_adds_in_training_alone() -> None:
    graph = Network("googlenet", "googlenet").graph()
    sizes = small_sizes(graph)
    (running, training) = (
        node_costs(graph, sizes, training=mode)["aux1.fc1"] for mode in (False, True)
    )
    assert running.multiply_adds == 0
    assert training.multiply_adds == 2048 * 1024
    assert running.parameters == training.parameters == 2048 * 1024 + 1024
