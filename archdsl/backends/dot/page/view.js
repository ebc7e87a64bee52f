// What is shown in a state of the page, and which links join it: as archdsl/passes/view.py and
// archdsl/backends/dot/{wires,ushape,guides}.py have it, function by function. The tests hold the
// DOT text that comes of it equal to theirs.
//
// A state is { open, unfolded }: the modules that are open, the runs of which every round is
// shown. Parts and nodes are numbers, places in network.parts and network.nodes. A key is what an
// end of a link is called by: a part's number, or a text for what stands outside of the picture.

function makeView(network, state) {
  const { parts, nodes } = network;
  const root = {
    part: network.root,
    state: "open",
    items: itemsOf(parts[network.root].parts),
    rounds: [],
  };
  const shown = new Map();
  root.items.forEach(standFor);
  const items = [];
  walk(root, (item) => items.push(item));
  const entering = new Map(); // what stands outside, and the node whose tensor comes or goes
  const leaving = new Map();
  return { state, root, items, shown, links: linked(), entering, leaving };

  function itemsOf(members) {
    return members.flatMap((index) => {
      const part = parts[index];
      if (part.kind !== "run") return [itemOf(index)];
      if (!state.unfolded.has(index)) return [{ ...itemOf(part.parts[0]), rounds: part.parts }];
      return part.parts.flatMap((one) =>
        itemsOf(parts[one].kind === "round" ? parts[one].parts : [one]),
      );
    });
  }

  function itemOf(index) {
    const part = parts[index];
    const item = { part: index, state: "open", items: [], rounds: [] };
    if (part.kind === "layer" || part.kind === "stack") return { ...item, state: "layer" };
    if (part.kind === "module" && !state.open.has(index)) return { ...item, state: "closed" };
    return { ...item, items: itemsOf(part.parts) };
  }

  function standFor(item) {
    if (item.state === "open") item.items.forEach(standFor);
    else for (const node of parts[item.part].nodes) shown.set(node, item.part);
    for (const other of item.rounds.slice(1)) {
      parts[item.rounds[0]].nodes.forEach((first, i) =>
        shown.set(parts[other].nodes[i], shown.get(first)),
      );
    }
  }

  function linked() {
    const rounds = roundsOf(network, root);
    const found = new Map();
    for (const edge of network.edges) {
      let tail = shown.get(edge.tail);
      let head = shown.get(edge.head);
      if (tail === undefined && head === undefined) continue;
      if (tail === undefined) {
        tail = `from ${nodes[edge.tail].escaped} ${edge.output}`;
        entering.set(tail, edge.tail);
      } else if (head === undefined) {
        head = `to ${nodes[edge.tail].escaped} ${edge.output}`;
        leaving.set(head, edge.tail);
      } else if (tail === head || betweenRounds(rounds.get(edge.tail), rounds.get(edge.head)))
        continue;
      const first = rounds.get(edge.tail)?.first ?? edge.tail;
      const key = JSON.stringify([tail, head, first, edge.output, edge.place]);
      if (!found.has(key))
        found.set(key, { tail, head, edge, source: `${edge.tail} ${edge.output}` });
    }
    return [...found.values()];
  }
}

function walk(item, visit, depth = 0) {
  visit(item, depth);
  for (const inner of item.items) walk(inner, visit, depth + 1);
}

// For a node in folded runs: [run, number of the round] from the outside in, and its first.
function roundsOf({ parts }, root) {
  const found = new Map();
  const enter = (item, around) => {
    const runs = item.rounds.length ? [...around, [item.part, 0]] : around;
    if (item.state === "open" && item.items.length)
      for (const inner of item.items) enter(inner, runs);
    else for (const node of parts[item.part].nodes) found.set(node, { runs, first: node });
    item.rounds.slice(1).forEach((other, i) => {
      parts[item.rounds[0]].nodes.forEach((first, k) => {
        const known = found.get(first);
        const there = [...around, [item.part, i + 1], ...known.runs.slice(around.length + 1)];
        found.set(parts[other].nodes[k], { runs: there, first: known.first });
      });
    });
  };
  for (const item of root.items) enter(item, []);
  return found;
}

function betweenRounds(tail, head) {
  for (let i = 0; i < Math.min(tail.runs.length, head.runs.length); i++) {
    if (tail.runs[i][0] !== head.runs[i][0]) return false;
    if (tail.runs[i][1] !== head.runs[i][1]) return true;
  }
  return false;
}

// Wires ---------------------------------------------------------------------------------

function makeWires(network, view) {
  const skips = skipsOf(
    view,
    view.links.filter((link) => !link.edge.shapeOnly),
  );
  const told = new Set(network.ranks.min.map((node) => `${node} 0`));
  const wires = [];
  for (const link of view.links) {
    const { edge, source } = link;
    if (edge.pairing) continue;
    if (edge.carried) {
      wires.push({ link, kind: "carried", shaped: true, name: edge.carried });
    } else if (!skips.has(link) && edge.shapeOnly) {
      wires.push({ link, kind: "shape", shaped: false, name: "" });
    } else {
      const kind = skips.has(link) ? "skip" : "flow";
      const shaped = (!told.has(source) && kind === "flow") || Boolean(edge.name);
      if (shaped) told.add(source);
      wires.push({ link, kind, shaped, name: edge.name ?? "" });
    }
  }
  for (const wire of wires) {
    if (wire.kind === "skip" && !told.has(wire.link.source)) {
      told.add(wire.link.source);
      wire.shaped = true;
    }
  }
  return wires;
}

function gather(pairs) {
  const found = new Map();
  for (const [key, value] of pairs) {
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(value);
  }
  return found;
}

function skipsOf(view, links) {
  const before = gather(links.map((link) => [link.head, link.tail]));
  const depth = depthsOf(view, before);
  return new Set(
    links.filter((link) => {
      const others = before.get(link.head).filter((tail) => tail !== link.tail);
      return others.length > 0 && reaches(link.tail, others, before, depth);
    }),
  );
}

// How many links lead to an item at the most: no path goes up in this number.
function depthsOf(view, before) {
  const after = new Map();
  const keys = [
    ...view.items.map((item) => item.part),
    ...view.entering.keys(),
    ...view.leaving.keys(),
  ];
  const waiting = new Map(keys.map((key) => [key, 0]));
  for (const [head, tails] of before) {
    waiting.set(head, tails.length);
    for (const tail of tails) {
      if (!after.has(tail)) after.set(tail, []);
      after.get(tail).push(head);
    }
  }
  const depth = new Map([...waiting.keys()].map((key) => [key, 0]));
  const ready = [...waiting.keys()].filter((key) => !waiting.get(key));
  while (ready.length) {
    const key = ready.pop();
    for (const head of after.get(key) ?? []) {
      depth.set(head, Math.max(depth.get(head), depth.get(key) + 1));
      waiting.set(head, waiting.get(head) - 1);
      if (!waiting.get(head)) ready.push(head);
    }
  }
  return depth;
}

function reaches(tail, others, before, depth) {
  const least = depth.get(tail);
  const waiting = others.filter((key) => depth.get(key) > least);
  const seen = new Set(others);
  while (waiting.length) {
    for (const earlier of before.get(waiting.pop()) ?? []) {
      if (earlier === tail) return true;
      if (!seen.has(earlier) && depth.get(earlier) > least) {
        seen.add(earlier);
        waiting.push(earlier);
      }
    }
  }
  return false;
}

// The first of those that have the most.
function greatest(values, measure) {
  let best;
  for (const value of values)
    if (best === undefined || measure(value) > measure(best)) best = value;
  return best;
}

// The links of the longest path, which is drawn as straight as can be.
function spineOf(view, wires) {
  const flow = wires.filter((wire) => wire.kind === "flow").map((wire) => wire.link);
  const before = gather(flow.map((link) => [link.head, link]));
  const depth = depthsOf(view, gather(flow.map((link) => [link.head, link.tail])));
  let key = greatest(depth.keys(), (k) => depth.get(k));
  const found = new Set();
  while (before.has(key)) {
    const link = greatest(before.get(key), (k) => depth.get(k.tail));
    found.add(link);
    key = link.tail;
  }
  return found;
}

// For items in a row without branches, the first of the row: they are drawn in one line.
function chainsOf({ shortestChain }, wires) {
  const after = gather(wires.map(({ link }) => [link.tail, link.head]));
  const before = gather(wires.map(({ link }) => [link.head, link.tail]));
  const goesOn = (key) =>
    after.get(key)?.length === 1 && before.get(after.get(key)[0]).length === 1;
  const continues = (key) =>
    before.get(key)?.length === 1 && after.get(before.get(key)[0]).length === 1;
  const found = new Map();
  for (const tail of after.keys()) {
    if (!goesOn(tail) || continues(tail)) continue;
    const row = [tail];
    while (goesOn(row.at(-1))) row.push(after.get(row.at(-1))[0]);
    if (row.length >= shortestChain) for (const key of row) found.set(key, tail);
  }
  return found;
}

// The U, and the guides ------------------------------------------------------------------

// How a view is drawn as a U; null where it is not.
function makeU({ parts, nodes, layout }, view) {
  if (layout === "flow") return null;
  const level = new Map();
  const places = new Set();
  const climbing = new Set();
  let encodes = false;
  for (const item of view.items) {
    if (item.state === "open") continue;
    const place = nodes[parts[item.part].nodes[0]].unet;
    if (!place) continue;
    level.set(item.part, place.level);
    places.add(place.id);
    if (["up", "join", "decode"].includes(place.part)) climbing.add(item.part);
    encodes ||= place.part === "encode";
  }
  if (places.size !== 1 || !climbing.size || !encodes) return null;
  const after = gather(view.links.map((link) => [link.tail, link.head]));
  const waiting = [...climbing];
  while (waiting.length) {
    for (const head of after.get(waiting.pop()) ?? []) {
      if (!climbing.has(head)) {
        climbing.add(head);
        waiting.push(head);
      }
    }
  }
  const crosses = ({ tail, head }) =>
    climbing.has(head) &&
    !climbing.has(tail) &&
    level.has(tail) &&
    level.get(tail) <= (level.get(head) ?? -1);
  return { climbing, crosses, climbs: (link) => climbing.has(link.head) && !crosses(link) };
}

// Of each frame the points that keep branches in their order, the network's by null. Outputs are
// in no branch.
function guidesOf(network, view, wires) {
  const ends = new Set(network.ranks.max.map((node) => view.shown.get(node)));
  const around = new Map();
  const enter = (items, chain) => {
    for (const item of items) {
      around.set(item.part, chain);
      enter(item.items, [...chain, item.part]);
    }
  };
  enter(view.root.items, []);
  const found = new Map();
  for (const [tail, following] of gather(wires.map((wire) => [wire.link.tail, wire]))) {
    const heads = [...new Set(following.map((wire) => wire.link.head))].filter(
      (key) => !ends.has(key),
    );
    if (heads.length < 2 || following.some((wire) => wire.kind !== "flow")) continue;
    const chains = [tail, ...heads].map((key) => around.get(key) ?? []);
    const common = chains[0].filter((frame, i) => chains.every((chain) => chain[i] === frame));
    const frame = common.at(-1) ?? null;
    found.set(frame, [...(found.get(frame) ?? []), { tail, heads }]);
  }
  return found;
}
