// The search: parts by name, layer or shape, and the blocks around them opened.

let hits = []; // shown parts
let meant = new Map(); // what each of them was found for: itself, or a part that is folded into it
let current = -1;
const plain = (text) => text.toLowerCase().replace(/(\d)\s*[x*]\s*(?=[\d⌈])/g, "$1×");
const words = parts.map(({ card }) =>
  card ? plain([card.name, card.op, card.call, ...(card.gives ?? [])].join("\n")) : null,
);

function search(text) {
  const wanted = plain(text.trim());
  const found = wanted ? inside.filter((i) => words[i]?.includes(wanted)) : [];
  meant = new Map(found.toReversed().map((index) => [standIn(index), index]));
  hits = [...new Set(found.map(standIn))];
  current = -1;
  markHits();
  tellHits();
}

// What shows a part: in a folded run, the same part of the first round.
function standIn(index) {
  let found = index;
  for (let i = index; parts[i].parent !== undefined; i = parts[i].parent) {
    const run = parts[i].parent;
    if (parts[run].kind !== "run" || state.unfolded.has(run) || parts[run].parts[0] === i) continue;
    found = parts[run].parts[0] + (found - i); // rounds are alike, and parts are numbered from the outside in
  }
  return found;
}

function tellHits() {
  const asked = at("search").value.trim();
  at("hits").textContent = !asked
    ? ""
    : current < 0
      ? `${hits.length} found`
      : `${current + 1} of ${hits.length}`;
}

function markHits() {
  const found = new Set(hits);
  for (const { group, part, does } of picture.targets) {
    const named = does !== "unfold" && does !== "fold";
    group.classList.toggle("hit", named && found.has(part));
    group.classList.toggle("current", named && part === hits[current]);
  }
}

async function nextHit(step) {
  if (!hits.length) return;
  current =
    current < 0 && step < 0 ? hits.length - 1 : (current + step + hits.length) % hits.length;
  const open = new Set(asked.open);
  for (let i = parts[hits[current]].parent; i !== undefined; i = parts[i].parent) {
    if (parts[i].kind === "module") open.add(i);
  }
  if (open.size !== asked.open.size && !(await show({ ...asked, open }))) return;
  markHits();
  tellHits();
  centreOn(hits[current]);
}
