// The keyboard, and the buttons of the page.

const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

// The nearest target in a direction: what lies aside counts more than what lies ahead.
function step(from, [across, down]) {
  const middle = (group) => {
    const { left, right, top, bottom } = group.getBoundingClientRect();
    return { x: (left + right) / 2, y: (top + bottom) / 2 };
  };
  const start = middle(from);
  const distance = ({ group }) => {
    const { x, y } = middle(group);
    const [ahead, aside] = across
      ? [(x - start.x) * across, y - start.y]
      : [(y - start.y) * down, x - start.x];
    return ahead > 1 ? ahead + 2.5 * Math.abs(aside) : Infinity;
  };
  let best = null;
  let least = Infinity;
  for (const target of picture.targets) {
    const far = distance(target);
    if (far < least) [best, least] = [target, far];
  }
  return best;
}

// Whether a key was meant for the picture: an arrow goes into it from anywhere.
function onPicture(event) {
  const target = picture.targets.find(({ group }) => group === document.activeElement);
  if (!target) return Boolean(ARROWS[event.key]) && goIn();
  let next = null;
  if (ARROWS[event.key]) next = step(target.group, ARROWS[event.key]);
  else if (event.key === "Home") next = picture.targets[0];
  else if (event.key === "End") next = picture.targets.at(-1);
  else if (event.key === "Enter" || event.key === " ") act(target);
  else return false;
  next?.group.focus({ preventScroll: true });
  return true;
}

function goIn() {
  picture.targets.find(({ group }) => group.tabIndex === 0)?.group.focus({ preventScroll: true });
  return true;
}

// Leaves the search; what was found last is then where the keyboard is.
function endSearch() {
  const found = hits[current];
  at("search").value = "";
  search("");
  at("search").blur();
  if (found !== undefined) targetOf(found)?.group.focus({ preventScroll: true });
}

function listenToKeys() {
  const keys = {
    "+": () => zoom(1.25),
    "=": () => zoom(1.25),
    "-": () => zoom(0.8),
    0: () => fit(false),
    "/": () => at("search").select(),
    "?": () => at("help").showModal(),
    "[": () => at("shallower").click(),
    "]": () => at("deeper").click(),
    t: () => at("theme").click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || at("help").open) return;
    if (event.key === "Escape") {
      if (document.activeElement === at("search")) endSearch();
      else hideCard();
      return;
    }
    if (event.target.matches("input[type=search]")) return;
    if (onPicture(event)) event.preventDefault();
    else if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  canvas.addEventListener("focusin", (event) => {
    const target = picture.targets.find(({ group }) => group === event.target);
    if (!target || !target.group.matches(":focus-visible")) return;
    for (const { group } of picture.targets)
      group.setAttribute("tabindex", group === target.group ? "0" : "-1");
    keepInSight(target.group.getBoundingClientRect());
    showCard(target);
  });
  canvas.addEventListener("focusout", hideCard);
  at("skip").addEventListener("click", goIn);
  at("search").addEventListener("input", () => search(at("search").value));
  at("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") nextHit(event.shiftKey ? -1 : 1);
  });
}

function listenToControls() {
  const level = () => Number(at("level").dataset.level);
  const clicks = {
    shallower: () => toDepth(level() - 1),
    deeper: () =>
      toDepth(level() + (modules.some((i) => levelOf(i) < level() && !state.open.has(i)) ? 0 : 1)),
    "close-all": () => toDepth(1),
    "open-all": () => toDepth(levels),
    "zoom-in": () => zoom(1.25),
    "zoom-out": () => zoom(0.8),
    fit: () => fit(false),
    keys: () => at("help").showModal(),
    theme: () => {
      const auto = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      const now = document.documentElement.dataset.theme;
      document.documentElement.dataset.theme =
        (now === "auto" ? auto : now) === "dark" ? "light" : "dark";
    },
  };
  for (const [id, done] of Object.entries(clicks)) at(id).addEventListener("click", done);
  at("unfold").addEventListener("change", () => {
    redraw({ ...asked, unfolded: new Set(at("unfold").checked ? runs : []) });
  });
}
