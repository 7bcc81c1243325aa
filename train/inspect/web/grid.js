// The grid: modules down, time steps across.

function drawGrid() {
  const rows = visibleModules();
  const values = rows.flatMap(({ module }) => page.columns.map((step) => norm(module, state.quantity, step))).filter((v) => v > 0);
  const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [1, 1];
  const place = (v) => (high > low ? Math.log(v / low) / Math.log(high / low) : 0.5);

  const legend = document.getElementById("legend");
  const bar = h("canvas", { "aria-hidden": true });
  drawScale(bar, sequential);
  legend.replaceChildren(short(low), bar, short(high));
  choiceOf("quantity", Object.fromEntries(Object.entries(QUANTITIES).map(([k, [name]]) => [k, name])), state.quantity,
    (quantity) => choose({ quantity }));

  const box = document.getElementById("grid-box");
  const hadFocus = box.contains(document.activeElement) && document.activeElement.classList.contains("cell");
  const scrolled = box.scrollLeft;
  const about = `Norms of ${QUANTITIES[state.quantity][1]}, by module and time step`;
  const grid = h("div", { class: "grid", role: "grid", "aria-label": about });
  const head = h("div", { role: "row" }, h("div", { class: "row-head", role: "columnheader" }, "module"));
  for (const step of page.columns) {
    const text = step === "all" ? "all" : step;
    head.append(h("div", { class: "cell head", role: "columnheader", "aria-label": stepName(step) }, text));
  }
  grid.append(head, ...rows.map((row) => gridRow(row, place)));
  box.replaceChildren(grid);
  box.scrollLeft = scrolled;
  const chosen = grid.querySelector(".cell.chosen");
  if (hadFocus) chosen?.focus();
}

function gridRow({ module, index }, place) {
  const isChosen = index === state.module;
  const current = stepOf(page.modules[state.module]);
  const holds = page.modules.some((other) => isInside(other.path, module.path));
  const folded = state.folded.has(module.path);
  const path = module.path === "" ? "(the model)" : module.path;
  const above = page.modules.filter((other) => other.path && isInside(module.path, other.path)).at(-1);
  const name = above ? path.slice(above.path.length + 1) : path;
  const fold = holds
    ? h("button", { class: "fold", type: "button", "aria-expanded": !folded, "aria-label": `${folded ? "unfold" : "fold"} ${path}`, onclick: (event) => { event.stopPropagation(); toggleFold(module); } }, folded ? "▸" : "▾")
    : h("span", { class: "fold" });
  const label = h("span", { class: "path", title: `${path}: ${module.kind} ${module.about}` }, name, h("span", { class: "kind" }, module.kind));
  const head = h("div", { class: `row-head${isChosen ? " chosen" : ""}`, role: "rowheader", style: `padding-left:${module.depth * 0.85}rem`, onclick: () => choose({ module: index }) }, fold, label);
  const row = h("div", { role: "row", "data-path": module.path }, head);
  for (const step of page.columns) {
    const value = norm(module, state.quantity, step);
    const any = SIGNALS.some((kind) => signalsAt(module, kind, step).length);
    const chosen = isChosen && step === current;
    const colour = value > 0 ? sequential(place(value)) : null;
    const words = value === null ? "no such value" : `norm of ${QUANTITIES[state.quantity][0]} ${short(value)}`;
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
        "aria-label": `${path}, ${module.kind}, ${stepName(step)}: ${words}`,
        title: value === null ? null : String(value),
        onclick: () => (any || value !== null) && choose({ module: index, step }),
      },
      value === null ? (any ? "·" : "") : tiny(value),
    ));
  }
  return row;
}

function toggleFold(module) {
  if (!state.folded.delete(module.path)) state.folded.add(module.path);
  if (isInside(page.modules[state.module].path, module.path)) state.module = page.modules.indexOf(module);
  refresh();
}

/** Move the choice by rows and steps; what a module does not have is passed over. */
function move(rows, steps) {
  const visible = visibleModules();
  const place = visible.findIndex(({ index }) => index === state.module);
  const next = visible[Math.max(0, Math.min(visible.length - 1, place + rows))];
  const now = page.columns.indexOf(stepOf(page.modules[state.module]));
  const step = page.columns[Math.max(0, Math.min(page.columns.length - 1, now + steps))];
  choose({ module: next.index, step: rows ? state.step : step });
  const cell = document.querySelector("#grid-box .cell.chosen");
  cell?.focus({ preventScroll: true });
  cell?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
