// The grid: modules down, time steps across.

function drawGrid() {
  const rows = visibleModules();
  const values = rows.flatMap(({ module }) => page.columns.map((step) => norm(module, state.quantity, step))).filter((v) => v > 0);
  const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [1, 1];
  const position = (v) => (high > low ? Math.log(v / low) / Math.log(high / low) : 0.5);

  const legend = document.getElementById("legend");
  const bar = h("canvas", { "aria-hidden": true });
  drawScale(bar, sequential);
  legend.replaceChildren(short(low), bar, short(high));
  choiceOf("quantity", Object.fromEntries(Object.entries(QUANTITIES).map(([k, [name]]) => [k, name])), state.quantity,
    (quantity) => choose({ quantity }));

  const box = document.getElementById("grid-box");
  const hadFocus = box.contains(document.activeElement) && document.activeElement.classList.contains("cell");
  const scrolled = box.scrollLeft;
  const label = `Norms of ${QUANTITIES[state.quantity][1]}, by module and time step`;
  const grid = h("div", { class: "grid", role: "grid", "aria-label": label });
  const head = h("div", { role: "row" }, h("div", { class: "row-head", role: "columnheader" }, "module"));
  for (const step of page.columns) {
    const text = step === "all" ? "all" : step;
    head.append(h("div", { class: "cell head", role: "columnheader", "aria-label": stepName(step) }, text));
  }
  grid.append(head, ...rows.map((row) => gridRow(row, position)));
  box.replaceChildren(grid);
  box.scrollLeft = scrolled;
  const chosen = grid.querySelector(".cell.chosen");
  keepInView(box, chosen, grid.querySelector(".row-head"));
  if (hadFocus) chosen?.focus();
}

function gridRow({ module, index }, position) {
  const isChosen = index === state.module;
  const current = stepOf(page.modules[state.module]);
  const isContainer = page.modules.some((other) => isInside(other.path, module.path));
  const folded = state.folded.has(module.path);
  const path = module.path === "" ? "(the model)" : module.path;
  const container = page.modules.filter((other) => other.path && isInside(module.path, other.path)).at(-1);
  const name = container ? path.slice(container.path.length + 1) : path;
  const fold = isContainer
    ? h("button", { class: "fold", type: "button", "aria-expanded": !folded, "aria-label": `${folded ? "unfold" : "fold"} ${path}`, onclick: (event) => { event.stopPropagation(); toggleFold(module); } }, folded ? "▸" : "▾")
    : h("span", { class: "fold" });
  const label = h("span", { class: "path", title: `${path}: ${module.type} ${module.description}` }, name, h("span", { class: "type" }, ...inWords(module.type)));
  const head = h("div", { class: `row-head${isChosen ? " chosen" : ""}`, role: "rowheader", style: `padding-left:${module.depth * 0.85}rem`, onclick: () => choose({ module: index }) }, fold, label);
  const row = h("div", { role: "row", "data-path": module.path }, head);
  for (const step of page.columns) {
    const value = norm(module, state.quantity, step);
    const hasSignal = SIGNALS.some((kind) => signalsAt(module, kind, step).length);
    const chosen = isChosen && step === current;
    const colour = value > 0 ? sequential(position(value)) : null;
    const meaning = value === null ? "no such value" : `norm of ${QUANTITIES[state.quantity][0]} ${short(value)}`;
    row.append(h(
      "button",
      {
        type: "button",
        role: "gridcell",
        class: `cell${chosen ? " chosen" : ""}${value === null ? " none" : value === 0 ? " zero" : ""}`,
        style: colour ? `background:${css(colour)};color:${inkOn(colour)}` : null,
        tabindex: chosen ? 0 : -1,
        "data-step": step,
        "data-value": value,
        "aria-selected": chosen,
        "aria-label": `${path}, ${module.type}, ${stepName(step)}: ${meaning}`,
        title: value === null ? null : String(value),
        onclick: () => (hasSignal || value !== null) && choose({ module: index, step }),
      },
      value === null ? (hasSignal ? "·" : "") : tiny(value),
    ));
  }
  return row;
}

/** The name of a class, which may break before each of its words. */
function inWords(name) {
  return name.split(/(?<=[a-z])(?=[A-Z])/).flatMap((word, i) => (i ? [h("wbr"), word] : [word]));
}

function toggleFold(module) {
  if (!state.folded.delete(module.path)) state.folded.add(module.path);
  if (isInside(page.modules[state.module].path, module.path)) state.module = page.modules.indexOf(module);
  refresh();
}

/** Move the selected cell by rows and steps, skipping steps that a module does not have. */
function move(rows, steps) {
  const visible = visibleModules();
  const row = visible.findIndex(({ index }) => index === state.module);
  const next = visible[Math.max(0, Math.min(visible.length - 1, row + rows))];
  const now = page.columns.indexOf(stepOf(page.modules[state.module]));
  const step = page.columns[Math.max(0, Math.min(page.columns.length - 1, now + steps))];
  choose({ module: next.index, step: rows ? state.step : step });
  const cell = document.querySelector("#grid-box .cell.chosen");
  cell?.focus({ preventScroll: true });
  cell?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
