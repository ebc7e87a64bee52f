"""Names of modules: every block and labelled group is a frame that names its members."""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field
from typing import TypeAlias

from archdsl.diagnostics import Diagnostic, Label, Span
from archdsl.elaborate.values import Stop

MODULE_ATTRIBUTES = frozenset(
    """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda
    double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half ipu load_state_dict modules mtia named_buffers named_children
    named_modules named_parameters parameters register_backward_hook register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook
    register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state
    set_submodule share_memory state_dict to to_empty train training type xpu zero_grad append
    extend insert pop
    _apply _backward_hooks _backward_pre_hooks _buffers _call_impl _compiled_call_impl
    _forward_hooks _forward_hooks_always_called _forward_hooks_with_kwargs _forward_pre_hooks
    _forward_pre_hooks_with_kwargs _get_backward_hooks _get_backward_pre_hooks
    _get_item_by_idx _get_name _is_full_backward_hook _load_from_state_dict
    _load_state_dict_post_hooks _load_state_dict_pre_hooks _maybe_warn_non_full_backward_hook
    _modules _named_members _non_persistent_buffers_set _parameters
    _register_load_state_dict_pre_hook _register_state_dict_hook _replicate_for_data_parallel
    _save_to_state_dict _slow_forward _state_dict_hooks _state_dict_pre_hooks _version
    _wrapped_call_impl
    """.split()
)
"""What ``nn.Module`` and ``nn.Sequential`` call their own, so that no member can be called so."""


Names: TypeAlias = tuple[int, dict[str, int], "dict[str, Span | None]"]
"""What a frame has counted, and the names that it has given."""


@dataclass(eq=False, repr=False)
class Frame:
    """The members of one module call, as they are named.

    In a ``numbered`` frame a member without a label takes its number, in others the
    name that was written and its count: ``conv1``. A ``replay`` runs modules again that
    have their names already.
    """

    id: str
    path: str
    numbered: bool = False
    replay: bool = False
    count: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    used: dict[str, Span | None] = field(default_factory=dict)

    def join(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def claim(self, written: str, span: Span | None, label: str | None = None) -> str:
        """The path of the next member, by its label or by what was written."""
        if self.numbered:
            name = label or str(self.count)
            self.count += 1
        elif label:
            name = label
        else:
            name = self._free(written)
        if label:
            self._check_label(label, span)
        self.used[name] = span
        return self.join(name)

    def _free(self, written: str) -> str:
        """The next counted name that no label has taken; a replay comes by the same ones."""
        name = self._counted(written)
        while name in self.used:
            name = self._counted(written)
        return name

    def _counted(self, written: str) -> str:
        number = self.counts.get(written, 0) + 1
        self.counts[written] = number
        return f"{written}{number}"

    def nested(self, name: str) -> str:
        """The path of a layer that stands among the arguments of another: a name with its count."""
        counted = self._free(name)
        self.used[counted] = None
        return self.join(counted)

    def implicit(self, name: str) -> str:
        """A path for a node that was not written as a stage, such as a residual's sum."""
        return self.join(self._counted(name))

    def _check_label(self, label: str, span: Span | None) -> None:
        if not self.replay and label in self.used:
            first = self.used[label]
            again = first == span  # the same place, met again in a loop
            raise Stop(
                Diagnostic(
                    "duplicate-name",
                    f"the name {label} is taken already",
                    span=span,
                    text="named again by every round of the loop" if again else "named again here",
                    labels=(Label(first, "first named here"),) if first and not again else (),
                    help=f"number them: {label}{{i}}: … with the loop's variable, or say"
                    " `repeat … shared` for one set of weights"
                    if again
                    else f"choose another name; {label} without a colon runs the first again",
                )
            )
        if label in MODULE_ATTRIBUTES or keyword.iskeyword(label) or label.startswith("__"):
            owner = "a Python keyword" if keyword.iskeyword(label) else "an attribute of nn.Module"
            raise Stop(
                Diagnostic(
                    "reserved-name",
                    f"a module cannot be called {label}, which is {owner}",
                    span=span,
                    help=f"choose another name, such as {label.strip('_')}_",
                )
            )

    def snapshot(self) -> Names:
        """The names so far, to run the same members again from here."""
        return self.count, dict(self.counts), dict(self.used)

    def rewind(self, snapshot: Names) -> None:
        """Back to a snapshot: what follows replays the members that were named since."""
        count, counts, used = snapshot
        self.count, self.counts, self.used = count, dict(counts), dict(used)
        self.replay = True
