"""A network from the zoo as a backbone with another activation, edited with plain networkx."""

from pathlib import Path

import networkx as nx
import torch

import archdsl

SPECS = Path(__file__).resolve().parent.parent / "specs"

graph = archdsl.graph(f"{SPECS}/resnet.arch:resnet18")

for _, data in graph.nodes(data=True):
    if data["op"] == "relu":
        data.update(op="silu", args={})

# Cut it after the third stage, and give back what the second one computes too.
ends = {
    name: [n for n, data in graph.nodes(data=True) if data["path"].startswith(f"{name}.")][-1]
    for name in ("layer2", "layer3")
}
kept = nx.ancestors(graph, ends["layer3"]) | {ends["layer3"]}
backbone = graph.subgraph(kept).copy()
for name, end in ends.items():
    backbone.add_node(f"{name}_features", op="output")
    backbone.add_edge(end, f"{name}_features")

report = archdsl.check(backbone)
print(", ".join(f"{name}: {tensor}" for name, tensor in report.outputs.items()))

model = archdsl.compile(backbone)
features = model(torch.randn(1, 3, 64, 64))
print({name: list(tensor.shape) for name, tensor in features._asdict().items()})
