"""The table: its rows and folds, that they sum to the totals, and that no format can be broken."""

from __future__ import annotations

import csv
import functools
import html.parser
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import archdsl
from archdsl.backends.summary import Row, Summary, summarize
from archdsl.backends.summary.columns import NAMES
from archdsl.backends.summary.quantities import exact, in_bytes, short
from archdsl.dims import symbol
from archdsl.graph import Graph, outputs
from archdsl.passes.cost import count_cost
from archdsl.passes.free_sizes import choose_sizes
from archdsl.passes.memory import measure_memory

SPECS = Path(__file__).resolve().parents[2] / "specs"
READ = [
    ("resnet", "resnet50"),
    ("densenet", "densenet121"),
    ("googlenet", "googlenet"),
    ("unet", "unet"),
    ("vit", "vit_b_16"),
    ("recurrent", "lstm_written_out"),
    ("wide_and_deep", "wide_and_deep"),
    ("gpt", "gpt_tiny"),
    ("siamese", "siamese"),
]
EVERY = [
    (path.stem, network)
    for path in sorted(SPECS.glob("*.arch"))
    for spec in [archdsl.load(path)]
    for network in spec.networks
    if not spec.needs(network)
]


@functools.cache
def graph(family: str, network: str) -> Graph:
    return archdsl.graph(f"{SPECS / family}.arch:{network}")


def leaves(summary: Summary) -> list[Row]:
    return [row for row in summary.rows if row.kind != "open"]


def row_of(summary: Summary, label: str) -> Row:
    (found,) = [row for row in summary.rows if row.label == label]
    return found


# To be read -----------------------------------------------------------------------


@pytest.mark.parametrize(("family", "network"), READ)
def test_the_text_reads_as_before(family: str, network: str, golden: Callable[..., None]) -> None:
    golden(str(archdsl.summary(graph(family, network))))


def test_the_other_formats_read_as_before(golden: Callable[..., None]) -> None:
    found = archdsl.summary(graph("resnet", "resnet18"))
    golden(found.markdown(), suffix=".md")
    golden(found.latex(), suffix=".tex")
    golden(found.csv().replace("\r\n", "\n"), suffix=".csv")
    golden(json.dumps(found.data(), indent=2) + "\n", suffix=".json")
    golden(found._repr_html_(), suffix=".html")


# Sums and folds -------------------------------------------------------------------

FIGURES = ("parameters", "multiply_adds", "memory", "training_memory")


@pytest.mark.parametrize(("family", "network"), EVERY)
def test_totals_are_the_sums_of_the_rows_however_they_are_folded(family: str, network: str) -> None:
    checked = graph(family, network)
    sizes = choose_sizes(checked)
    cost, memory = count_cost(checked, sizes or None), measure_memory(checked, sizes or None)
    expected = (cost.parameters, cost.multiply_adds, memory.forward, memory.saved)
    for depth, unfold in ((None, False), (1, False), (2, False), (99, False), (99, True)):
        found = summarize(checked, depth=depth, unfold=unfold, sizes=sizes)
        totals = tuple(getattr(found.totals, figure) for figure in FIGURES)
        assert totals == expected, (depth, unfold)
        for rows in (leaves(found), [row for row in found.rows if not row.level]):
            summed = tuple(sum(getattr(row, figure) for row in rows) for figure in FIGURES)
            assert summed == expected, (depth, unfold)


@pytest.mark.parametrize(("family", "network"), EVERY)
def test_every_layer_is_in_one_row_and_open_rows_hold_what_stands_in_them(
    family: str, network: str
) -> None:
    checked = graph(family, network)
    ends = outputs(checked)
    left_out = ends if len(ends) == 1 else []
    for depth, unfold in ((None, False), (99, False), (99, True)):
        found = summarize(checked, depth=depth, unfold=unfold)
        counts = Counter(node for row in leaves(found) for node in row.nodes)
        assert counts == Counter(node for node in checked if node not in left_out)
        for row in found.rows:
            assert len(row.nodes) % row.times == 0  # every repetition has as many
            if row.kind == "layer":
                assert len(row.nodes) == row.times
            if row.kind == "open":
                inside = [other for other in found.rows if other.parent == row.id]
                assert sorted(row.nodes) == sorted(n for other in inside for n in other.nodes)
                assert {other.level for other in inside} == {row.level + 1}
        if unfold:
            assert {row.times for row in found.rows} == {1}


def test_blocks_of_a_resnet_fold_to_what_the_paper_lists() -> None:
    """He et al., 2015, table 1: 3, 4, 6 and 3 bottlenecks."""
    found = archdsl.summary(graph("resnet", "resnet50"))
    blocks = [row for row in found.rows if row.call.startswith("bottleneck")]
    stages: dict[str, int] = {}
    for row in blocks:
        stages[row.label.partition(".")[0]] = stages.get(row.label.partition(".")[0], 0) + row.times
    assert stages == {"layer1": 3, "layer2": 4, "layer3": 6, "layer4": 3}
    fold = row_of(found, "layer3.1 … 5")
    assert (fold.name, fold.times) == ("1 … 5", 5)
    # Three convolutions without bias, and three norms of two numbers a channel.
    one = 1024 * 256 + 256 * 256 * 9 + 256 * 1024 + 2 * (256 + 256 + 1024)
    assert fold.parameters == 5 * one
    assert "×5" in str(found)


def test_rows_inside_a_fold_are_of_all_its_rounds() -> None:
    folded = archdsl.summary(graph("gpt", "gpt_tiny"), depth=2)
    unfolded = archdsl.summary(graph("gpt", "gpt_tiny"), depth=2, unfold=True)
    inside = [row for row in folded.rows if row.parent == "decoder1"]
    assert inside
    for row in inside:
        same = [u for u in unfolded.rows if re.fullmatch(rf"decoder\d\.{row.name}", u.label)]
        assert len(same) == row.times == 4
        for figure in FIGURES:
            assert getattr(row, figure) == sum(getattr(u, figure) for u in same)


def test_a_fold_shows_what_its_last_round_gives() -> None:
    unfolded = archdsl.summary(graph("densenet", "densenet121"), depth=3, unfold=True)
    last = row_of(unfolded, "features.denseblock1.concat6")
    folded = archdsl.summary(graph("densenet", "densenet121"), depth=3)
    fold = row_of(folded, "features.denseblock1.concat1 … 6")
    assert fold.outputs == last.outputs
    assert fold.outputs[0].dims == (64 + 6 * 32, 56, 56)
    assert fold.fields == last.fields
    assert row_of(folded, "features.denseblock1.denselayer1 … 6").times == 6


@pytest.mark.parametrize(
    ("family", "network"),
    [("resnet", "resnet18"), ("gpt", "gpt_tiny"), ("siamese", "siamese"), ("vit", "vit_b_16")],
)
def test_parameters_are_those_of_the_module_of_that_name(family: str, network: str) -> None:
    """Against torch: each parameter of the compiled module counts at its first name alone."""
    checked = graph(family, network)
    with torch.device("meta"):
        module = archdsl.compile(checked)
    own = {name: p.numel() for name, p in module.named_parameters()}  # shared ones once
    for depth in (1, 2, 99):
        found = archdsl.summary(checked, depth=depth, unfold=True)
        for row in found.rows:
            inside = [n for name, n in own.items() if f"{name}.".startswith(f"{row.label}.")]
            again = "#" in row.id
            assert row.parameters == (0 if again else sum(inside)), row.label
        assert found.totals.parameters == sum(own.values())
        buffers = sum(buffer.numel() for buffer in module.buffers())
        assert found.totals.buffers == buffers


# What a row says ------------------------------------------------------------------


def test_a_chain_needs_no_word_of_what_feeds_what() -> None:
    found = archdsl.summary(graph("lenet", "lenet5"), depth=99)
    assert not any(row.connected for row in found.rows)
    assert "connected to" not in str(found)
    for above, row in zip(leaves(found), leaves(found)[1:], strict=False):
        assert row.inputs == (above.label,)


def test_what_is_no_chain_says_what_feeds_it() -> None:
    found = archdsl.summary(graph("unet", "unet"))
    assert row_of(found, "concat1").connected == ("crop1", "conv_transpose1")
    assert row_of(found, "crop1").connected == ("convolve_twice4", "conv_transpose1")
    assert row_of(found, "max_pool1").connected == ()
    assert row_of(archdsl.summary(graph("vit", "vit_b_16")), "class_token").connected == ("–",)


@pytest.mark.parametrize(("family", "network"), READ)
def test_what_feeds_a_row_is_a_row(family: str, network: str) -> None:
    for depth in (1, 2, 99):
        found = archdsl.summary(graph(family, network), depth=depth)
        labels = {row.label for row in leaves(found)}
        assert len(labels) == len(leaves(found))
        for row in leaves(found):
            assert set(row.inputs) <= labels, row.label


def test_names_are_as_short_as_is_clear_where_they_stand() -> None:
    gpt = archdsl.summary(graph("gpt", "gpt_tiny"))
    # There is a dropout1 in the block too.
    assert row_of(gpt, "decoder1.add1").connected == ("gpt_tiny.dropout1", "dropout1")
    assert row_of(gpt, "decoder1.add1").inputs == ("dropout1", "decoder1.dropout1")
    dense = archdsl.summary(graph("densenet", "densenet121"))
    fold = row_of(dense, "features.denseblock1.concat1 … 6")
    assert fold.connected == ("pool0", "denselayer1 … 6")


def test_shared_weights_count_once_and_are_marked() -> None:
    found = archdsl.summary(graph("siamese", "siamese"), depth=1)
    first, second = row_of(found, "tower"), row_of(found, "tower#2")
    assert (first.shared, second.shared, second.parameters) == (False, True, 0)
    assert first.multiply_adds == second.multiply_adds != 0
    assert second.notes == ("weights of tower",)
    line = next(text for text in str(found).splitlines() if text.startswith("tower#2"))
    assert "weights of tower" in line
    assert "shared" in line
    tied = row_of(archdsl.summary(graph("gpt", "gpt_tiny")), "head")
    assert (tied.parameters, tied.shared) == (0, True)


def test_a_layer_with_a_weight_of_another_and_a_bias_of_its_own_says_both() -> None:
    spec = archdsl.loads(
        "network n { input x: int[T]\n embed: embedding(10, 4)\n"
        " head: linear(10, tie = embed.weight) }"
    )
    found = archdsl.summary(spec)
    row = row_of(found, "head")
    assert (row.parameters, row.shared) == (10, True)
    assert "10 + shared" in str(found)
    assert found.totals.parameters == 10 * 4 + 10


def test_what_runs_in_training_alone_is_marked_and_costs_nothing_in_evaluation() -> None:
    found = archdsl.summary(graph("googlenet", "googlenet"))
    marked = [row for row in found.rows if "training only" in row.notes]
    assert [row.label for row in marked] == ["aux1", "aux2", "aux_logits2", "aux_logits1"]
    assert all(row.multiply_adds == row.memory == 0 for row in marked)
    assert row_of(found, "aux1").parameters
    assert row_of(found, "aux1").training_memory


def test_an_only_output_needs_no_row_and_several_have_theirs() -> None:
    assert "output" not in [row.label for row in archdsl.summary(graph("vgg", "vgg11")).rows]
    several = archdsl.summary(graph("wide_and_deep", "wide_and_deep"))
    assert [row.label for row in several.rows if row.call == "output"] == ["main", "aux"]


def test_one_module_is_shown_alone() -> None:
    whole = archdsl.summary(graph("resnet", "resnet50"))
    part = archdsl.summary(graph("resnet", "resnet50"), only="layer3", depth=1)
    assert [row.name for row in part.rows] == ["0", "1 … 5"]
    assert part.totals.parameters == row_of(whole, "layer3").parameters
    assert part.totals.multiply_adds == row_of(whole, "layer3").multiply_adds
    assert part.totals.peak_memory is None
    first = archdsl.summary(graph("resnet", "resnet50"), only="layer3").rows[1]
    assert (first.name, first.inputs) == ("conv1", ("layer2.3.relu3",))
    title = str(part).splitlines()[0]
    assert title == "layer3 of resnet50: layer2.3.relu3 512×28×28 → 1024×14×14"
    with pytest.raises(archdsl.ArchError, match="there is no module layr3"):
        archdsl.summary(graph("resnet", "resnet50"), only="layr3")


def test_a_loop_is_a_row_that_says_how_often_it_runs() -> None:
    found = archdsl.summary(graph("recurrent", "lstm_written_out"), sizes={"T": 7})
    loop = next(row for row in found.rows if row.kind == "open")
    assert (loop.label, loop.call) == ("scan1", "loop of 7 steps")
    gate = row_of(found, "forget_gate")
    assert gate.multiply_adds == 7 * (16 + 64) * 64  # by hand, at every step


def test_a_name_of_several_parts_folds_to_its_ends() -> None:
    spec = archdsl.loads(
        "network n { input x: [3, 8, 8]\n repeat 4 { conv(3, 3, padding = 1) -> relu } }"
    )
    fold = archdsl.summary(spec).rows[1]
    assert (fold.name, fold.times, fold.call) == ("conv1 … relu4", 4, "2 in turn")
    inside = [(row.name, row.times) for row in archdsl.summary(spec).rows if row.level]
    assert inside == [("conv1 … 4", 4), ("relu1 … 4", 4)]


# Sizes ----------------------------------------------------------------------------


def test_figures_are_at_the_sizes_that_are_given() -> None:
    small = archdsl.summary(graph("vgg", "vgg11"), sizes={"H": 64, "W": 32})
    first = row_of(
        archdsl.summary(graph("vgg", "vgg11"), sizes={"H": 64, "W": 32}, depth=2), "features.0"
    )
    assert first.multiply_adds == 64 * 32 * 64 * 3 * 9
    assert first.memory == 4 * 64 * 64 * 32
    assert "at H = 64, W = 32" in str(small)
    with pytest.raises(archdsl.ArchError, match="no free size D"):
        archdsl.summary(graph("vgg", "vgg11"), sizes={"D": 64})


def test_without_values_for_free_sizes_figures_are_expressions() -> None:
    found = summarize(graph("vgg", "vgg11"), depth=2)
    height, width = symbol("H"), symbol("W")
    assert row_of(found, "features.0").multiply_adds == 64 * 3 * 9 * height * width
    assert "1728·H·W" in str(found)
    assert "64×H×W" in str(found)
    assert found.totals.peak_memory is None
    assert json.loads(json.dumps(found.data(), allow_nan=False))["totals"]["parameters"] > 0
    assert list(csv.reader(io.StringIO(found.csv())))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (61_706, "61.7 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (25_557_032, "25.6 M"),
        (4_089_184_256, "4.09 G"),
        (10**13, "10.0 T"),
        (10**22, "10,000 E"),
    ],
)
def test_counts_have_three_digits_and_a_prefix_of_the_si(number: int, text: str) -> None:
    assert short(number) == text
    assert in_bytes(number) == (f"{text}B" if " " in text else f"{text} B")
    assert exact(number) == f"{number:,}"


# Columns and widths ---------------------------------------------------------------


def test_columns_are_those_that_are_wanted_in_their_order() -> None:
    found = archdsl.summary(graph("resnet", "resnet18"))
    header = found.text(["field", "layer", "stride", "offset"]).splitlines()[2]
    assert header.split() == ["field", "layer", "stride", "offset"]
    first = list(csv.DictReader(io.StringIO(found.csv(["layer", "field", "stride", "offset"]))))
    # By hand: a kernel of 7 with padding 3 and stride 2, then one of 3 with 1 and 2.
    stem = {row["layer"]: (row["field"], row["stride"], row["offset"]) for row in first}
    assert stem["conv1"] == ("7", "2", "0")
    assert stem["max_pool1"] == ("11", "4", "0")
    assert len(found.text(["all"]).splitlines()[2].split("  ")) >= len(NAMES)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["layr"], "there is no column layr"),
        (["layer", "shape", "layer"], "the column layer is wanted twice"),
        (["layer", "all"], "the column layer is wanted twice"),
        ([], "no columns are wanted"),
    ],
)
def test_columns_that_cannot_be_are_told_of(columns: list[str], message: str) -> None:
    with pytest.raises(archdsl.ArchError, match=message):
        archdsl.summary(graph("lenet", "lenet5")).text(columns)


def table_of(text: str) -> list[str]:
    """The header, the rows and the total."""
    _, *below = text.split("\n\n")
    return [line for line in below[0].splitlines() if not line.startswith("─")]


@pytest.mark.parametrize("width", [140, 130, 120])
def test_a_narrow_table_cuts_names_in_their_middle_and_no_figure(width: int) -> None:
    found = archdsl.summary(graph("vit", "vit_b_16"))
    wide, narrow = table_of(str(found)), table_of(found.text(width=width))
    assert max(map(len, wide)) > 140
    assert max(map(len, narrow)) <= width
    assert sum("…" in line for line in narrow) > sum("…" in line for line in wide)
    for one, other in zip(wide, narrow, strict=True):
        assert one.split()[-1] == other.split()[-1]
        figures = r"\d+(?:,\d{3})+|[\d.]+ [kMG]B?"
        assert re.findall(figures, one) == re.findall(figures, other)


@pytest.mark.parametrize("width", [80, 60])
def test_where_not_even_that_fits_columns_are_left_out_and_named(width: int) -> None:
    found = archdsl.summary(graph("vit", "vit_b_16"))
    text = found.text(width=width)
    assert max(map(len, table_of(text))) <= width
    assert "training" not in table_of(text)[0]
    assert "Left out to fit: training-memory" in text
    chosen = found.text(["layer", "training-memory"], width=20)  # what is asked for stays
    assert "training" in table_of(chosen)[0]


# Nothing can be broken ------------------------------------------------------------

HOSTILE = "=1+1|</td><script>alert(1)</script>`*_\\&%$#{}~^[]--''\"\n\x1b[31m| x"


@functools.cache
def hostile() -> Summary:
    """A network whose name and a layer's are made to break out of every format."""
    edited = archdsl.graph(archdsl.loads("network n { input x: [4]; linear(4) -> relu }"))
    edited.graph["name"] = HOSTILE
    (end,) = outputs(edited)
    (before,) = edited.predecessors(end)
    edited.remove_edge(before, end)
    edited.add_node(HOSTILE, op="tanh", path="tanh1")
    edited.add_edge(before, HOSTILE)
    edited.add_node("-x", op="sigmoid", path="sigmoid1")
    edited.add_edge(HOSTILE, "-x")
    edited.add_node("main", op="output")
    edited.add_edge("-x", end)
    edited.add_edge(HOSTILE, "main")
    return archdsl.summary(edited)


def test_a_hostile_name_steers_no_terminal_and_breaks_no_line() -> None:
    text = str(hostile())
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text.splitlines()) == len(str(archdsl.summary(hostile_but_tame())).splitlines())


def hostile_but_tame() -> Graph:
    return archdsl.graph(
        archdsl.loads(
            "network n { input x: [4]\n linear(4) -> relu -> tanh as t\n t -> sigmoid as s\n"
            " output s, t }"
        )
    )


def test_a_hostile_name_breaks_no_table_of_markdown() -> None:
    lines = hostile().markdown().splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == len(hostile().rows) + 3
    bars = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table}
    assert len(bars) == 1
    plain = re.sub(r"\\[^\w\s]", "", "\n".join(lines))  # what stays after escapes are gone
    assert not re.search(r"[<>`$~\[\]]", plain)


def test_a_hostile_name_adds_no_element_to_the_html() -> None:
    class Elements(html.parser.HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []
            self.seen: set[str] = set()
            self.text = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.add(tag)
            assert {name for name, _ in attrs} <= {"style"}
            if tag != "br":
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

        def handle_data(self, data: str) -> None:
            self.text += data

    reader = Elements()
    reader.feed(hostile()._repr_html_())
    assert not reader.open
    assert reader.seen <= set("div p b table thead tbody tfoot tr th td small br".split())
    assert "<script>" in reader.text  # as a text


def test_a_hostile_name_is_no_command_of_latex() -> None:
    lines = hostile().latex().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(r"\begin{tabular}"))
    assert all(line.startswith("%") for line in lines[:start])
    rows = [line for line in lines[start:] if line.endswith(r" \\")]
    assert len(rows) == len(hostile().rows) + 2
    known = {
        *(f"\\{sign}" for sign in "{}$&#%_"),
        *r"\textbackslash \textasciicircum \textasciitilde \textless \textgreater".split(),
        *r"\textbar \symbol \hspace \times \cdot \ldots \\".split(),
    }
    for row in rows:
        commands = re.findall(r"\\(?:[a-zA-Z]+|.)", row)
        assert set(commands) <= known, row
        plain = re.sub(r"\\(?:[a-zA-Z]+|.)", "", row)
        assert not re.search(r"[%#_~^\"'`]", plain)
        assert plain.count("{") == plain.count("}")
        assert plain.count("&") == len(hostile_columns()) - 1
        assert "--" not in plain


def hostile_columns() -> list[str]:
    header = next(line for line in hostile().latex().splitlines() if line.startswith("layer & "))
    return header.split("&")


def test_a_hostile_name_is_no_formula_of_a_spreadsheet() -> None:
    rows = list(csv.reader(io.StringIO(hostile().csv(), newline="")))
    assert len(rows) == len(hostile().rows) + 1
    assert len({len(row) for row in rows}) == 1
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    names = [row[0] for row in rows]
    assert f"'{HOSTILE}" in names  # whole, behind an apostrophe
    assert "'-x" in names


def test_the_data_is_plain_and_holds_all() -> None:
    data = json.loads(json.dumps(hostile().data(), allow_nan=False))
    assert HOSTILE in [row["id"] for row in data["rows"]]
    found = archdsl.summary(graph("resnet", "resnet18"))
    data = json.loads(json.dumps(found.data(), allow_nan=False))
    assert data["totals"]["parameters"] == 11_689_512  # as torchvision publishes it
    tops = [row for row in data["rows"] if row["parent"] is None]
    assert sum(row["multiply_adds"] for row in tops) == data["totals"]["multiply_adds"]
    assert data["sizes"] == {"H": 224, "W": 224}
