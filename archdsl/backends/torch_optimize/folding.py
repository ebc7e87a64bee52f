"""Batch norms folded into the layers before them, and what is idle in evaluation left out."""

from __future__ import annotations

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from archdsl.backends.torch_optimize.dropouts import DROPOUTS
from archdsl.backends.torch_optimize.observation import observe, rank
from archdsl.backends.torch_optimize.tracing import has_hooks

_IDLE = (nn.Identity, *DROPOUTS)
# A layer, the norm that may follow it, and the rank at which that norm's channels are the layer's:
# BatchNorm1d takes [N, C] and [N, C, L] alike, and in the latter a Linear's features are L.
_FOLDS: dict[type[nn.Module], tuple[type[nn.Module], int]] = {
    nn.Conv1d: (nn.BatchNorm1d, 3),
    nn.Conv2d: (nn.BatchNorm2d, 4),
    nn.Conv3d: (nn.BatchNorm3d, 5),
    nn.ConvTranspose1d: (nn.BatchNorm1d, 3),
    nn.ConvTranspose2d: (nn.BatchNorm2d, 4),
    nn.ConvTranspose3d: (nn.BatchNorm3d, 5),
    nn.Linear: (nn.BatchNorm1d, 2),
}


def remove_idle(traced: fx.GraphModule) -> None:
    """Leave out dropout and identities, which give in evaluation what they are given."""
    for node in list(traced.graph.nodes):
        layer = _module_at(traced, node)
        if (
            layer is not None
            and type(layer) in _IDLE
            and len(node.all_input_nodes) == 1
            and not has_hooks(layer)
        ):
            node.replace_all_uses_with(node.all_input_nodes[0])
            traced.graph.erase_node(node)
    traced.recompile()


def fold_batch_norms(traced: fx.GraphModule, arguments: tuple[object, ...]) -> None:
    """Scale the weights of convolutions and linear layers as the batch norm after them would.

    Jacob et al., 2018 (arXiv:1712.05877), section 3.2, by torch's own ``fuse_conv_bn_eval``. Every
    call gets a layer of its own, so that one that is also called elsewhere stays what it was.
    """
    observe(traced, arguments)
    made: dict[tuple[str, str], str] = {}
    for norm in list(traced.graph.nodes):
        layer = norm.args[0] if norm.args else None
        if not isinstance(layer, fx.Node) or not _may_fold(traced, layer, norm):
            continue
        pair = (str(layer.target), str(norm.target))
        if pair not in made:
            made[pair] = _add_folded(traced, *pair)
        layer.target = made[pair]
        norm.replace_all_uses_with(layer)
        traced.graph.erase_node(norm)
    traced.delete_all_unused_submodules()
    traced.recompile()


def _may_fold(traced: fx.GraphModule, layer: fx.Node, norm: fx.Node) -> bool:
    first, second = _module_at(traced, layer), _module_at(traced, norm)
    if first is None or second is None or type(first) not in _FOLDS:
        return False
    kind, expected = _FOLDS[type(first)]
    if type(second) is not kind or rank(layer) != expected or len(layer.users) != 1:
        return False
    if has_hooks(first) or has_hooks(second) or len(norm.args) != 1 or norm.kwargs:
        return False
    assert isinstance(second, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d))
    if second.running_var is None:
        return False  # it takes the statistics of the batch
    if not second.affine and isinstance(first, nn.Linear):
        return False  # torch folds into a linear layer only what has a scale
    if isinstance(first, nn.modules.conv._ConvTransposeNd) and first.groups != 1:
        return False  # their weight [in, out / groups, …] has no axis of the output's channels
    return second.running_var.dtype == next(first.parameters()).dtype


def _add_folded(traced: fx.GraphModule, layer: str, norm: str) -> str:
    first, second = traced.get_submodule(layer), traced.get_submodule(norm)
    assert isinstance(second, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d))
    folded: nn.Module
    if isinstance(first, nn.Linear):
        folded = fuse_linear_bn_eval(first, second)
    else:
        assert isinstance(first, nn.modules.conv._ConvNd)
        transposed = isinstance(first, nn.modules.conv._ConvTransposeNd)
        folded = fuse_conv_bn_eval(first, second, transposed)
    taken = {name for name, _ in traced.named_children()}
    name = f"{layer.replace('.', '_')}_folded"
    while name in taken:
        name += "_"
    traced.add_submodule(name, folded.requires_grad_(requires_grad=False))
    return name


def _module_at(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return traced.get_submodule(str(node.target)) if node.op == "call_module" else None
