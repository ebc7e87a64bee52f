// The card: what is told of the part that is pointed at.

function html(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

let pointed = null; // the target whose card is shown

function showCard(target) {
  const card = parts[target.part].card;
  hideCard();
  pointed = target;
  light(target);
  if (!card) return;
  const rows = [
    ["takes", card.takes?.join(", ")],
    ["gives", card.gives?.join(", ")],
    ["parameters", inAll(card.parameters, card.run?.parameters, card.run)],
    ["multiply-adds", inAll(card.work, card.run?.work, card.run)],
  ];
  const list = html("dl");
  for (const [what, value] of rows) if (value) list.append(html("dt", what), html("dd", value));
  const box = at("card");
  const several = card.run && target.item.rounds.length > 1;
  box.replaceChildren(html("h2", several ? `${card.name} … ${card.run.last}` : card.name));
  if (card.call && card.call !== card.name) box.append(html("code", card.call, "call"));
  const other = meant.get(target.part) ?? target.part;
  if (other !== target.part)
    box.append(html("p", `in place of ${parts[other].card.name}, which is alike`));
  if (card.doc) box.append(html("p", card.doc));
  box.append(list);
  if (card.shared) box.append(html("p", "Its weights are used at another place too."));
  if (card.source !== undefined) {
    const [file, line, text] = network.sources[card.source];
    box.append(html("p", `${file}:${line}`, "source"), html("code", text, "source"));
  }
  const hints = {
    open: "click or Enter opens it",
    close: "click or Enter closes it",
    unfold: `click or Enter shows all ${target.item.rounds.length}`,
    fold: "click or Enter folds them",
  };
  if (target.does) box.append(html("p", hints[target.does], "hint"));
  box.hidden = false;
  settle(box, target.group.getBoundingClientRect());
}

const inAll = (one, all, run) =>
  run && all !== one ? `${one} each, ${all} in all ${run.times}` : one;

// Beside the picture where there is room, else beside what it is about.
function settle(box, rect) {
  const gap = 14;
  const { offsetWidth: width, offsetHeight: height } = box;
  const whole = picture.svg.getBoundingClientRect();
  const places = [
    whole.right,
    whole.left - 2 * gap - width,
    rect.right,
    rect.left - 2 * gap - width,
  ];
  const free = places.find((left) => left >= 0 && left + 2 * gap + width <= window.innerWidth);
  const x = gap + (free ?? Math.max(0, window.innerWidth - width - 2 * gap));
  const y = Math.min(Math.max(gap, rect.top), window.innerHeight - height - gap);
  box.style.transform = `translate(${x}px, ${y}px)`;
}

function light(target) {
  const ends = new Set([target.item.part]);
  for (const {
    group,
    ends: [tail, head],
  } of picture.edges) {
    group.classList.toggle("lit", ends.has(tail) || ends.has(head));
  }
}

function hideCard() {
  pointed = null;
  at("card").hidden = true;
  for (const { group } of picture?.edges ?? []) group.classList.remove("lit");
}
