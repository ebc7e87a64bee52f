// The state of the page: which parts are open, and the picture of it.

const network = JSON.parse(document.getElementById("network").textContent);
const { parts } = network;
const at = (id) => document.getElementById(id);
const canvas = at("canvas");

parts.forEach((part, index) => {
  for (const inner of part.parts) parts[inner].parent = index;
});
// The run that a shown part is in the first round of, where it may stand for the run's rounds.
network.runOf = new Map();
parts.forEach((part, index) => {
  if (part.kind !== "run") return;
  const first = part.parts[0];
  network.runOf.set(first, index);
  if (parts[first].kind === "round") network.runOf.set(parts[first].parts[0], index);
});

const inside = []; // all parts but the outermost one
for (const first of parts[network.root].parts) within(first, (index) => inside.push(index));
const modules = inside.filter((index) => parts[index].kind === "module");
const runs = inside.filter((index) => parts[index].kind === "run");
const levelOf = (index) => {
  let level = 0;
  for (let i = index; i !== network.root; i = parts[i].parent) level += parts[i].kind === "module";
  return level;
};
const levels = 1 + Math.max(0, ...modules.map(levelOf));

// The state in which `depth` levels are open, every round apart where `unfold`.
function stateAt(depth, unfold) {
  return {
    open: new Set(modules.filter((i) => levelOf(i) < depth)),
    unfolded: new Set(unfold ? runs : []),
  };
}

// What is shown.
let state = { open: new Set(network.opened), unfolded: new Set(network.unfolded ? runs : []) };
let asked = state; // what is being laid out
let picture = null; // what is drawn: svg, targets, edges
let place = { x: 0, y: 0, scale: 1 };
let layOut = null; // from DOT text to SVG text
const limits = { seconds: 15 }; // a layout has

const plainName = (key, prefix = "", suffix = "") =>
  typeof key === "number"
    ? `"${prefix}p${key}${suffix}"`
    : `"${prefix}${encodeURIComponent(key)}${suffix}"`;
const givenName = (key, prefix = "", suffix = "") =>
  `"${prefix}${typeof key === "number" ? parts[key].escaped : key}${suffix}"`;

// Drawing --------------------------------------------------------------------------------

async function show(next, { anchor, focus } = {}) {
  asked = next;
  const view = makeView(network, next);
  let drawn;
  document.body.classList.add("busy");
  try {
    drawn = dress(network, view, await layOut(writeDot(network, view, plainName)));
    if (asked !== next) return false; // something else was asked for in the meantime
  } catch {
    if (asked !== next) return false;
    asked = state;
    say("This is too large to be laid out here: close some blocks first.", true);
    if (picture) tellState();
    return false;
  } finally {
    if (asked === next || asked === state) document.body.classList.remove("busy");
  }
  say("");
  const before = anchor === undefined ? null : boundsOf(anchor);
  [state, picture] = [next, drawn];
  const { width, height } = drawn.svg.viewBox.baseVal;
  drawn.svg.setAttribute("width", width);
  drawn.svg.setAttribute("height", height);
  drawn.svg.setAttribute("role", "application");
  drawn.svg.setAttribute(
    "aria-label",
    `${network.name}: arrow keys move from box to box, Enter opens and closes`,
  );
  for (const target of drawn.targets) describe(target);
  drawn.targets[0]?.group.setAttribute("tabindex", "0");
  hideCard();
  canvas.replaceChildren(drawn.svg);
  move(place);
  const after = anchor === undefined ? null : boundsOf(anchor);
  if (before && after) {
    move({ ...place, x: place.x + before.left - after.left, y: place.y + before.top - after.top });
    keepInSight(boundsOf(anchor));
  }
  markHits();
  tellState();
  const target = focus === undefined ? null : targetOf(focus);
  if (target) target.group.focus({ preventScroll: true });
  return true;
}

function describe(target) {
  const { group, part, item, does } = target;
  const card = parts[part].card ?? {};
  const times = item.rounds.length > 1 ? `, ${item.rounds.length} times` : "";
  const shape = card.gives ? `, gives ${card.gives.join(" and ")}` : "";
  const labels = {
    unfold: `repeats ${item.rounds.length} times: show each`,
    fold: `show these ${does === "fold" ? parts[target.run].parts.length : 0} as one`,
  };
  group.setAttribute("tabindex", "-1");
  group.setAttribute("role", does ? "button" : "img");
  group.setAttribute(
    "aria-label",
    labels[does] ?? `${card.name ?? ""}: ${card.call ?? ""}${times}${shape}`,
  );
  if (does === "open" || does === "close")
    group.setAttribute("aria-expanded", String(does === "close"));
  if (does) group.classList.add("does");
}

// The target of a part; of what it is folded into where it is not shown.
function targetOf(index) {
  for (let i = index; i !== undefined; i = parts[i].parent) {
    const found = picture.targets.find(
      (t) => t.part === i && t.does !== "unfold" && t.does !== "fold",
    );
    if (found) return found;
  }
  return null;
}

function boundsOf(index) {
  return targetOf(index)?.group.getBoundingClientRect() ?? null;
}

function act(target) {
  const [open, unfolded] = [new Set(asked.open), new Set(asked.unfolded)];
  const { part, does, item } = target;
  if (does === "open") open.add(part);
  else if (does === "close") open.delete(part);
  else if (does === "unfold") {
    unfolded.add(network.runOf.get(part));
    for (const round of item.rounds.slice(1)) within(round, (i) => open.delete(i));
  } else if (does === "fold") unfolded.delete(target.run);
  else return;
  show({ open, unfolded }, { anchor: part, focus: part });
}

function within(index, visit) {
  visit(index);
  for (const inner of parts[index].parts) within(inner, visit);
}

function tellState() {
  const deepest = 1 + Math.max(0, ...modules.filter((i) => state.open.has(i)).map(levelOf));
  at("level").textContent = `level ${deepest} of ${levels}`;
  at("level").dataset.level = deepest;
  at("shallower").disabled = deepest <= 1;
  at("deeper").disabled = modules.every((i) => state.open.has(i));
  at("unfold").checked = runs.length > 0 && runs.every((i) => state.unfolded.has(i));
}

function toDepth(depth) {
  redraw(stateAt(Math.min(levels, Math.max(1, depth)), at("unfold").checked));
}

// Another picture altogether, seen from its top.
async function redraw(next) {
  if (await show(next)) fit(true);
}

function say(text, loud = false) {
  at("status").textContent = text;
  at("status").classList.toggle("loud", loud);
}
