// The state of the page: what is selected, and what that implies.

const page = JSON.parse(document.getElementById("data").textContent);

const QUANTITIES = {
  grad_output: ["grad_output", "the gradient with respect to a module's output"],
  grad_input: ["grad_input", "the gradient with respect to a module's input"],
  gradients: ["parameters", "what a module adds to its parameters' gradients"],
  output: ["output", "the output of the forward pass"],
};
const SIGNALS = ["input", "output", "grad_output", "grad_input"];

const state = {
  module: 0,
  step: page.columns.at(-1),
  quantity: "grad_output",
  own: true,
  mapsPerPage: 16,
  first: 0,
  memory: 0,
  memoryView: "values",
  memoryMap: 0,
  folded: new Set(),
};

/** The name of a step. */
const stepName = (step) => (step === "all" ? "whole sequence" : `step ${step}`);

/** A module's signals of one kind at a step as [name, index of the summary]; a table has several. */
function signalsAt(module, kind, step) {
  return Object.entries(module.signals)
    .filter(([name, at]) => name.split("[")[0] === kind && at[step] !== undefined)
    .map(([name, at]) => [name, at[step]]);
}

/** The norm in a cell of the grid, null where there is none. */
function norm(module, quantity, step) {
  const indices = quantity === "gradients"
    ? Object.values(module.gradients).map((at) => at[step]).filter((index) => index !== undefined)
    : signalsAt(module, quantity, step).map(([, index]) => index);
  if (!indices.length) return null;
  const norms = indices.map((index) => page.summaries[index].norm);
  return norms.length === 1 ? norms[0] : Math.hypot(...norms);
}

/** The modules that are in no folded container. */
function visibleModules() {
  return page.modules
    .map((module, index) => ({ module, index }))
    .filter(({ module }) => ![...state.folded].some((path) => isInside(module.path, path)));
}

const isInside = (path, container) => path !== container && (container === "" || path.startsWith(`${container}.`));

/** The chosen step, or the first one that the module has if it lacks that. */
function stepOf(module) {
  const has = (step) => SIGNALS.some((kind) => signalsAt(module, kind, step).length)
    || Object.values(module.gradients).some((at) => at[step] !== undefined);
  if (has(state.step)) return state.step;
  return page.columns.find((step) => has(step)) ?? state.step;
}

/** Change the state, and draw the page again. */
function choose(change) {
  const before = state.module;
  Object.assign(state, change);
  if (state.module !== before) state.first = 0;
  refresh();
}

/** Scroll a box sideways until what is chosen in it is in view beside the column that stays; nothing else moves. */
function keepInView(box, chosen, staying) {
  if (!chosen) return;
  const [view, cell] = [box.getBoundingClientRect(), chosen.getBoundingClientRect()];
  const left = view.left + (staying ? staying.getBoundingClientRect().width : 0);
  if (cell.left < left) box.scrollLeft -= left - cell.left;
  else if (cell.right > view.right) box.scrollLeft += cell.right - view.right;
}

/** Draw a row of buttons of which one is chosen. */
function choiceOf(id, entries, current, onchoose) {
  const box = document.getElementById(id);
  const hadFocus = box.contains(document.activeElement);
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
  if (hadFocus) box.querySelector("[aria-checked=true]")?.focus();
}
