// Graphviz's SVG made into the picture: boxes filled, frames titled, and every part that a person
// can point at marked as a target, for the pointer, the keyboard and screen readers alike.

const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The picture of a view: { svg, targets, edges }, targets in the order of reading.
function dress(network, view, text) {
  const painted = text.replace(
    /"(#0a0c[0-9a-f]{2})"/g,
    (_, mark) => `"var(${network.variables[mark]})"`,
  );
  const parsed = new DOMParser().parseFromString(painted, "image/svg+xml").documentElement;
  const svg = document.importNode(parsed, true);
  if (svg.localName !== "svg") throw new Error("Graphviz gave no SVG");
  const groups = new Map(
    [...svg.querySelectorAll("g.node, g.cluster")].map((group) => [group.id, group]),
  );
  const over = element("g"); // upon the edges, so that these do not strike a title out
  const targets = [];
  const climbing = makeU(network, view)?.climbing ?? new Set();
  walk(view.root, (item) => {
    if (item !== view.root) (item.state === "open" ? frame : box)(item);
  });
  svg.querySelector("g").append(over);
  const edges = [...svg.querySelectorAll("g.edge")].map((group) => {
    const [tail, head] = group.querySelector("title").textContent.split("->");
    return { group, ends: [tail, head].map((name) => Number(name.slice(1))) };
  });
  for (const title of svg.querySelectorAll("title")) title.remove(); // they would be shown as hints
  return { svg, targets, edges };

  function add(group, target) {
    group.classList.add("target");
    targets.push({ group, ...target });
  }

  function box(item) {
    const group = groups.get(`p${item.part}`);
    const face = faceOf(network, item);
    const part = network.parts[item.part];
    if (face.box === undefined) {
      add(group, { item, part: item.part, does: null });
      return;
    }
    const { left, top, right, bottom } = extent(group);
    const upside = climbing.has(item.part) && face.climbing !== undefined;
    group.innerHTML = network.boxes[upside ? face.climbing : face.box];
    group.setAttribute("transform", `translate(${(left + right) / 2} ${(top + bottom) / 2})`);
    const cells = [...group.children].filter((child) => child.localName === "g");
    const badge = [...group.children].filter(
      (child) => child.localName !== "g" && !child.classList.contains("outline"),
    );
    const members = part.kind === "stack" ? part.parts : [item.part];
    const ordered = upside ? [...cells].reverse() : cells;
    ordered.forEach((cell, i) => {
      add(cell, { item, part: members[i], does: item.state === "closed" ? "open" : null });
    });
    if (item.state === "closed") {
      const { x, y, width } = cells[0].querySelector("rect");
      cells[0].append(knob(x.baseVal.value + width.baseVal.value - 2, y.baseVal.value + 1, "+"));
    }
    if (badge.length) {
      const wrapped = element("g", {}, ground(badge.at(-1)), ...badge);
      group.append(wrapped);
      add(wrapped, { item, part: item.part, does: "unfold" });
    }
    foldChip(item, (left + right) / 2 - 24, top);
  }

  function frame(item) {
    const group = groups.get(`frame p${item.part}`);
    const { left, top, right } = extent(group);
    const halo = group.querySelector("path, polygon").getAttribute("fill");
    for (const text of group.querySelectorAll("text")) text.remove();
    const title = element("g", {
      class: "title",
      transform: `translate(${left} ${top})`,
      stroke: halo,
      "stroke-width": 3,
      "paint-order": "stroke",
      "stroke-linejoin": "round",
    });
    title.innerHTML = network.boxes[faceOf(network, item).title];
    over.append(title);
    const { kind } = network.parts[item.part];
    const badge = `×${item.rounds.length}`;
    const times = [...title.children].findLast(({ textContent }) => textContent === badge);
    if (kind !== "round") {
      const lines = [...title.children].filter((child) => child !== times);
      const height = Math.max(0, ...lines.map((line) => Number(line.getAttribute("y")))) + 4;
      // Across the whole frame: a title is small, and between its words there would be nothing to hit.
      const band = element("rect", {
        class: "band",
        x: 2,
        y: 2,
        width: right - left - 4,
        height,
        rx: 4,
      });
      const named = element("g", {}, band, ...lines);
      title.prepend(named);
      if (kind === "module") named.append(knob(right - left - 5, 1, "−"));
      add(named, { item, part: item.part, does: kind === "module" ? "close" : null });
    }
    if (times) {
      const wrapped = element("g", {}, ground(times), times);
      title.append(wrapped);
      add(wrapped, { item, part: item.part, does: "unfold" });
    }
    foldChip(item, left + 8, top);
  }

  // On the first round of a run that is shown round by round: what folds it again.
  function foldChip(item, x, y) {
    const run = network.runOf.get(item.part);
    if (!view.state.unfolded.has(run) || item.rounds.length) return;
    const chip = element(
      "g",
      { class: "fold", transform: `translate(${x} ${y})` },
      element("rect", { x: -2, y: -8, width: 40, height: 13, rx: 6 }),
      element(
        "text",
        { x: 18, y: 1.5, "text-anchor": "middle", "font-size": 8 },
        `fold ×${network.parts[run].parts.length}`,
      ),
    );
    over.append(chip);
    add(chip, { item, part: item.part, run, does: "fold" });
  }
}

function knob(x, y, sign) {
  const stroke = sign === "+" ? "M-2.5,0h5M0,-2.5v5" : "M-2.5,0h5";
  return element(
    "g",
    { class: "knob", transform: `translate(${x} ${y})` },
    element("circle", { r: 5 }),
    element("path", { d: stroke }),
  );
}

// What can be hit around a short text.
function ground(text) {
  const [x, y] = ["x", "y"].map((key) => Number(text.getAttribute(key)));
  const width = 7 * text.textContent.length + 6;
  return element("rect", { class: "band", x: x - 3, y: y - 12, width, height: 17, rx: 4 });
}

// The rectangle around a node or a frame, as Graphviz drew it.
function extent(group) {
  const shape = group.querySelector("path, polygon, ellipse");
  const numbers = (shape.getAttribute("points") ?? shape.getAttribute("d"))
    .match(/-?\d+(\.\d+)?/g)
    .map(Number);
  const [xs, ys] = [numbers.filter((_, i) => i % 2 === 0), numbers.filter((_, i) => i % 2 === 1)];
  return {
    left: Math.min(...xs),
    top: Math.min(...ys),
    right: Math.max(...xs),
    bottom: Math.max(...ys),
  };
}
