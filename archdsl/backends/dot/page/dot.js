// The DOT text of a view: as archdsl/backends/dot/drawing.py writes its skeleton, which the tests
// hold it to. Boxes are empty and of the right sizes; dress() fills them.

// `name` gives the quoted name of a key. The page's own names are plain numbers: what a
// specification calls its layers then never meets Graphviz.
function writeDot(network, view, name) {
  const { nodes, colors } = network;
  const u = makeU(network, view);
  const wires = makeWires(network, view);
  const spine = spineOf(view, wires);
  const onSpine = new Set([...spine].flatMap((link) => [link.tail, link.head]));
  const crossing = new Set(
    wires.filter(({ link }) => u?.crosses(link)).map(({ link }) => link.head),
  );
  const chains = chainsOf(network, wires);
  const guides = u ? new Map() : guidesOf(network, view, wires);
  const lines = [`digraph ${network.title} {`, ...(u ? network.head.u : network.head.flow)];
  items(view.root.items, 1, 0, null);
  ghosts();
  for (const wire of inOrder()) lines.push(`  ${edgeOf(wire)}`);
  ranks();
  return `${[...lines, "}"].join("\n")}\n`;

  function items(members, indent, depth, frame) {
    const space = "  ".repeat(indent);
    for (const guide of guides.get(frame) ?? [])
      lines.push(...guideLines(guide).map((line) => space + line));
    for (const item of members) {
      const face = faceOf(network, item);
      if (item.state === "open") {
        lines.push(`${space}subgraph ${name(item.part, "cluster ")} {`);
        const [fill, line] = colors.frames[depth % colors.frames.length];
        const look = face.look
          .replaceAll(colors.frames[0][0], fill)
          .replaceAll(colors.frames[0][1], line);
        lines.push(`${space}  graph [id=${name(item.part, "frame ")}, ${look}`);
        items(item.items, indent + 1, depth + 1, item.part);
        lines.push(`${space}}`);
      } else {
        lines.push(`${space}${name(item.part)} [${nodeLook(item.part, face)}]`);
      }
    }
  }

  function nodeLook(key, face) {
    const order = u?.climbing.has(key) ? ['ordering="out"'] : [];
    const line = groupOf(key);
    const group = line === null ? [] : [`group=${line}`];
    const look = face.look.slice(0, -1);
    // A sign in a circle, which Graphviz draws itself, says them at its end.
    const all = face.box === undefined ? [look, ...order, ...group] : [...group, ...order, look];
    return [`id=${name(key)}`, ...all].join(", ");
  }

  // What stands in one line: a chain of items; of a U, each of its sides.
  function groupOf(key) {
    if (!u) return chains.has(key) ? name(chains.get(key)) : null;
    if (!u.climbing.has(key)) return '"down"';
    return onSpine.has(key) || !crossing.has(key) ? '"up"' : null;
  }

  function guideLines({ tail, heads }) {
    const points = heads.map((_, i) => name(tail, "guide ", ` ${i}`));
    const rows = heads.flatMap((head, i) => [
      `${points[i]} [shape=point, style=invis, width=0.01, label=""]`,
      // Twice, so that to cross it counts more than to cross a wire that is seen.
      ...Array(2).fill(`${name(tail)} -> ${points[i]} -> ${name(head)} [style=invis]`),
    ]);
    return [...rows, `{ rank=same; ${points.join(" -> ")} [style=invis] }`];
  }

  function ghosts() {
    const look = `shape="plaintext", fontsize=9, fontcolor="${colors.quiet}", height=0.2]`;
    for (const [key, node] of view.entering) {
      lines.push(`  ${name(key)} [label="from ${nodes[node].escaped}", ${look}`);
    }
    for (const key of view.leaving.keys()) lines.push(`  ${name(key)} [label="…", ${look}`);
  }

  // In a U, what comes over from the contracting path is laid out before the rest, on its side.
  function inOrder() {
    if (!u) return wires;
    const early = (w) => u.crosses(w.link) || crossing.has(w.link.tail);
    return [...wires.filter(early), ...wires.filter((w) => !early(w))];
  }

  function edgeOf({ link, kind, shaped, name: called }) {
    const look = [];
    const [tail, head] = [name(link.tail), name(link.head)];
    if (shaped || called) {
      const shape = nodes[link.edge.tail].shapes[link.edge.output];
      look.push(called ? `label="  ${called} ${shape} "` : `label="  ${shape} "`);
    }
    if (kind === "shape")
      look.push(`style="dotted", color="${colors.quiet}", arrowhead="open", weight=0`);
    if (kind === "carried") {
      const begin = network.loops.findLast(([, end]) => view.shown.get(end) === link.head)[0];
      look.push(
        `dir="back", style="dashed", color="${colors.skip}", fontcolor="${colors.skip}", weight=0`,
      );
      return `${name(view.shown.get(begin))} -> ${tail} [${look.join(", ")}]`;
    }
    if (u?.crosses(link)) look.push(`color="${colors.skip}", penwidth=1.7, constraint=false`);
    else if (kind === "skip") look.push(`color="${colors.skip}", penwidth=1.4, weight=0`);
    else if (kind === "flow") look.push(`weight=${spine.has(link) ? 12 : 4}`);
    if (u?.climbs(link)) return `${head} -> ${tail} [${[...look, 'dir="back"'].join(", ")}]`;
    return `${tail} -> ${head} [${look.join(", ")}]`;
  }

  function ranks() {
    if (u) {
      for (const { link } of wires) {
        if (u.crosses(link)) lines.push(`  { rank=same; ${name(link.tail)}; ${name(link.head)} }`);
      }
      return;
    }
    for (const rank of ["min", "max"]) {
      const ends = network.ranks[rank].filter((node) => view.shown.has(node));
      if (ends.length > 1) {
        const row = ends.map((node) => name(view.shown.get(node))).join(" -> ");
        lines.push(`  { rank=${rank}; ${row} [style=invis] }`);
      }
    }
  }
}

// What is written on a part as it is shown: a box, or a frame; another where it stands for a run.
function faceOf(network, item) {
  const faces = network.parts[item.part].faces[item.rounds.length ? "run" : "one"];
  return item.state === "open" ? faces.frame : faces.box;
}
