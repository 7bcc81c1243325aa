// What is chosen, and what follows from it.

const page = JSON.parse(document.getElementById("data").textContent);

const QUANTITIES = {
  grad_output: ["grad_output", "the gradient that arrives at a module's output"],
  grad_input: ["grad_input", "the gradient that a module sends on to its input"],
  gradients: ["parameters", "what a module adds to the gradients of its parameters"],
  output: ["output", "the output, on the way forth"],
};
const SIGNALS = ["input", "output", "grad_output", "grad_input"];

const state = {
  module: 0,
  step: page.columns.at(-1),
  quantity: "grad_output",
  own: true,
  mapsAPage: 16,
  first: 0,
  memory: 0,
  memoryView: "values",
  memoryMap: 0,
  folded: new Set(),
};

/** The step's name in words. */
const stepName = (step) => (step === "all" ? "whole sequence" : `step ${step}`);

/** The readings [name, number] of a module's signals of one kind at a step: a table has several. */
function signalsAt(module, kind, step) {
  return Object.entries(module.signals)
    .filter(([name, at]) => name.split("[")[0] === kind && at[step] !== undefined)
    .map(([name, at]) => [name, at[step]]);
}

/** The norm that a cell of the grid shows, null where there is none. */
function norm(module, quantity, step) {
  const found = quantity === "gradients"
    ? Object.values(module.gradients).map((at) => at[step]).filter((n) => n !== undefined)
    : signalsAt(module, quantity, step).map(([, n]) => n);
  if (!found.length) return null;
  return found.length === 1 ? page.readings[found[0]].norm : Math.hypot(...found.map((n) => page.readings[n].norm));
}

/** The modules whose container is not folded. */
function visibleModules() {
  return page.modules
    .map((module, index) => ({ module, index }))
    .filter(({ module }) => ![...state.folded].some((path) => isInside(module.path, path)));
}

const isInside = (path, container) => path !== container && (container === "" || path.startsWith(`${container}.`));

/** The step that a module has and that is nearest to the one that is chosen. */
function stepOf(module) {
  const has = (step) => SIGNALS.some((kind) => signalsAt(module, kind, step).length)
    || Object.values(module.gradients).some((at) => at[step] !== undefined);
  if (has(state.step)) return state.step;
  return page.columns.find((step) => has(step)) ?? state.step;
}

/** Choose a module, a step, or both, and show it. */
function choose(change) {
  const before = state.module;
  Object.assign(state, change);
  if (state.module !== before) state.first = 0;
  refresh();
}

/** A row of buttons of which one is chosen. */
function choiceOf(id, entries, current, onchoose) {
  const box = document.getElementById(id);
  const had = box.contains(document.activeElement);
  box.replaceChildren(
    ...Object.entries(entries).map(([value, text]) => {
      const chosen = value === String(current);
      return h(
        "button",
        { type: "button", role: "radio", "aria-checked": chosen, tabindex: chosen ? 0 : -1, "data-value": value, onclick: () => onchoose(value) },
        text,
      );
    }),
  );
  box.onkeydown = (event) => {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    const names = Object.keys(entries);
    onchoose(names[(names.indexOf(String(current)) + move + names.length) % names.length]);
  };
  if (had) box.querySelector("[aria-checked=true]")?.focus();
}
