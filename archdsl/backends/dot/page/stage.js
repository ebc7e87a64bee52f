// The stage: the picture larger, smaller, and moved about, by wheel, pointer and fingers.

function move(next) {
  place = next;
  picture.svg.style.transform = `translate(${place.x}px, ${place.y}px) scale(${place.scale})`;
  hideCard();
}

function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const scale = Math.min(8, Math.max(0.05, place.scale * factor));
  const ratio = scale / place.scale;
  move({ scale, x: x - (x - place.x) * ratio, y: y - (y - place.y) * ratio });
}

const sizeOf = () => picture.svg.viewBox.baseVal;

// The whole picture; or, where it would be too small to read, its top.
function fit(readable) {
  const { width, height } = sizeOf();
  const [across, down] = [canvas.clientWidth / width, canvas.clientHeight / height];
  let scale = Math.min(across, down, 1.5);
  if (readable && scale < 0.8) scale = Math.max(scale, Math.min(across, 1));
  const y = Math.max(0, (canvas.clientHeight - height * scale) / 2);
  move({ scale, x: (canvas.clientWidth - width * scale) / 2, y });
}

function keepInSight(rect) {
  const room = canvas.getBoundingClientRect();
  const margin = 24;
  const nudge = (low, high, from, to) =>
    low < from + margin ? from + margin - low : high > to - margin ? to - margin - high : 0;
  const x = nudge(rect.left, rect.right, room.left, room.right);
  const y = nudge(rect.top, rect.bottom, room.top, room.bottom);
  if (x || y) move({ ...place, x: place.x + x, y: place.y + y });
}

function centreOn(index) {
  const rect = boundsOf(index);
  if (!rect) return;
  const room = canvas.getBoundingClientRect();
  const x = room.left + room.width / 2 - (rect.left + rect.right) / 2;
  const y = room.top + room.height / 2 - (rect.top + rect.bottom) / 2;
  move({ ...place, x: place.x + x, y: place.y + y });
  showCard(targetOf(index));
}

const pointers = new Map();
let dragged = false;

function here(event) {
  const room = canvas.getBoundingClientRect();
  return { x: event.clientX - room.left, y: event.clientY - room.top };
}

function listenToPointers() {
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const { x, y } = here(event);
      const lines = event.deltaMode === 1 ? 16 : 1;
      zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)), x, y);
    },
    { passive: false },
  );
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pointers.set(event.pointerId, here(event));
    dragged = pointers.size > 1;
  });
  canvas.addEventListener("pointermove", (event) => {
    const was = pointers.get(event.pointerId);
    if (!was) return;
    const now = here(event);
    if (!dragged && Math.hypot(now.x - was.x, now.y - was.y) < 4) return;
    if (!dragged) canvas.setPointerCapture(event.pointerId);
    dragged = true;
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const [from, to] = [was, now].map((p) => Math.hypot(p.x - other.x, p.y - other.y));
      if (from) zoom(to / from, other.x, other.y);
    } else move({ ...place, x: place.x + now.x - was.x, y: place.y + now.y - was.y });
    pointers.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    window.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }
  canvas.addEventListener("click", (event) => {
    const target = dragged ? null : pointedAt(event);
    dragged = false;
    if (target) act(target);
  });
  let last = "";
  canvas.addEventListener("pointermove", (event) => {
    const spot = `${event.clientX} ${event.clientY}`;
    if (spot === last || pointers.size) return; // the picture moved, and not the pointer
    last = spot;
    const target = pointedAt(event);
    if (!target) hideCard();
    else if (target !== pointed) showCard(target);
  });
  canvas.addEventListener("pointerleave", hideCard);
}

function pointedAt(event) {
  const group = event.target.closest?.(".target");
  return group ? picture.targets.find((target) => target.group === group) : null;
}
