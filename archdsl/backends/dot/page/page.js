// The beginning: Graphviz is unpacked, the picture laid out, and the page listens.

async function start() {
  at("unfold").parentElement.hidden = !runs.length;
  layOut = startGraphviz(at("graphviz").textContent, limits);
  try {
    await layOut("digraph {}");
  } catch (problem) {
    say("This browser does not run the page's WebAssembly: the picture stays as it is.", true);
    throw problem;
  }
  if (!(await show(state)) && !(await show(stateAt(1, false)))) return;
  fit(true);
  listenToPointers();
  listenToKeys();
  listenToControls();
  document.documentElement.classList.add("ready");
}

// For tests: what is laid out in a state.
window.archdsl = {
  limits,
  stateAt,
  dot: ({ open, unfolded }) =>
    writeDot(
      network,
      makeView(network, { open: new Set(open), unfolded: new Set(unfolded) }),
      givenName,
    ),
};
start();
