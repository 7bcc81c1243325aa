// The frame strip, the curves, the memory and the finite differences.

const stepsOnly = page.columns.filter((step) => step !== "all");

/** The head of a table of pictures: buttons that choose a step. */
function stepButtons() {
  return h("tr", {}, h("th", {}), ...stepsOnly.map((step) => h("th", { class: "step", scope: "col" },
    h("button", { type: "button", "aria-pressed": step === state.step, "aria-label": stepName(step), onclick: () => choose({ step }) }, step))));
}

function drawFrameStrip() {
  const table = h("table", { class: "strip" }, stepButtons());
  for (const row of page.frame_strip) {
    const head = h("th", { scope: "row" }, h("b", {}, row.name), row.note ? h("small", {}, row.note) : null);
    if (row.name === "flow") {
      const wheel = h("canvas", { role: "img", "aria-label": "legend: direction and length of the flow by colour" });
      drawPicture(wheel, page.wheel);
      head.append(h("div", { class: "wheel" }, wheel));
    }
    const shared = Math.max(0, ...Object.values(row.steps).flatMap((p) => p.scales || []));
    const cells = stepsOnly.map((step) => {
      const picture = row.steps[step];
      const cell = h("td", { class: step === state.step ? "chosen" : null });
      if (picture) {
        const canvas = h("canvas", { role: "img", "aria-label": `${row.name}, ${stepName(step)}` });
        if (row.format === "picture") drawPicture(canvas, picture);
        else drawMap(canvas, picture, 0, shared);
        canvas.addEventListener("click", () => choose({ step }));
        cell.append(canvas);
      }
      return cell;
    });
    table.append(h("tr", {}, head, ...cells));
  }
  const box = document.getElementById("frame-strip-table");
  const scrolled = box.scrollLeft;
  box.replaceChildren(table);
  box.scrollLeft = scrolled;
  keepInView(box, table.querySelector("td.chosen"), table.querySelector("th[scope=row]"));
}

function drawCurves() {
  const [name, description] = QUANTITIES[state.quantity];
  const module = page.modules[state.module];
  document.getElementById("curves-description").textContent =
    `Norm of ${name}, ${description}, over time: one line per module. Towards the left, a falling line is a vanishing gradient, a rising one an exploding gradient.`;
  const series = visibleModules().map(({ module: m, index }) => ({
    name: m.path || "(the model)",
    values: stepsOnly.map((step) => norm(m, state.quantity, step)),
    chosen: index === state.module,
    onclick: () => choose({ module: index }),
  })).filter((s) => s.values.some((v) => v !== null));
  const box = document.getElementById("curves-plot");
  const width = Math.max(340, Math.min(1500, box.clientWidth || 1100));
  box.replaceChildren(series.length
    ? lineChart({ series, steps: stepsOnly, log: true, now: stepsOnly.indexOf(state.step), label: `norm of ${name} over time, chosen: ${module.path}`, width, height: width < 600 ? 300 : 380 })
    : h("p", { class: "empty" }, "The modules run on the whole sequence at once, so there is only one number for each: see the column “all” of the grid."));
}

const GATE_COLOURS = { i: "#d1495b", f: "#2a7fd4", o: "#2f9e5f", g: "#b8860b", c: "#8a5cd0", h: "#808591" };

function drawMemory() {
  const section = document.getElementById("memory");
  section.hidden = !page.memories.length;
  if (section.hidden) return;
  const memory = page.memories[state.memory];
  document.getElementById("memory-path").hidden = page.memories.length < 2;
  choiceOf("memory-path", Object.fromEntries(page.memories.map((m, i) => [i, m.path])), state.memory, (v) => choose({ memory: +v, memoryMap: 0 }));
  choiceOf("memory-view", { values: "values", derivatives: "derivatives of the loss" }, state.memoryView, (v) => choose({ memoryView: v }));
  const side = memory[state.memoryView];
  const cellMaps = page.summaries[side.c[stepsOnly[0]]].maps;
  const count = cellMaps.shape[0];
  state.memoryMap = Math.max(0, Math.min(count - 1, state.memoryMap));
  const index = cellMaps.chosen ? cellMaps.chosen[state.memoryMap] : state.memoryMap;
  document.getElementById("memory-pager").replaceChildren(
    h("button", { type: "button", "aria-label": "previous map of the memory", onclick: () => choose({ memoryMap: state.memoryMap - 1 }) }, "‹"),
    h("output", {}, `map ${index} of ${cellMaps.of}`),
    h("button", { type: "button", "aria-label": "next map of the memory", onclick: () => choose({ memoryMap: state.memoryMap + 1 }) }, "›"),
  );
  const table = h("table", { class: "strip" }, stepButtons());
  const symbols = { i: "iₜ", f: "fₜ", g: "c̃ₜ", o: "oₜ", c: "cₜ", h: "hₜ" };
  for (const [symbol, quantity] of Object.entries(page.quantities)) {
    const summaries = stepsOnly.map((step) => page.summaries[side[symbol][step]]);
    const shared = Math.max(...summaries.map((s) => s.maps.scales[state.memoryMap] ?? 0));
    const text = state.memoryView === "values" ? symbols[symbol] : `∂L/∂${symbols[symbol]}`;
    const head = h("th", { scope: "row" }, h("b", {}, text), h("small", {}, `${quantity}, ±${short(shared)}`));
    table.append(h("tr", {}, head, ...summaries.map((summary, i) => {
      const canvas = h("canvas", { role: "img", "aria-label": `${quantity}, ${stepName(stepsOnly[i])}, map ${index}` });
      drawMap(canvas, summary.maps, state.memoryMap, shared);
      return h("td", { class: stepsOnly[i] === state.step ? "chosen" : null }, canvas);
    })));
  }
  document.getElementById("memory-table").replaceChildren(table);

  const box = document.getElementById("memory-plots");
  const width = box.clientWidth > 860 ? Math.max(340, box.clientWidth / 2 - 12) : Math.max(320, box.clientWidth || 600);
  const line = (of, symbol, measure) => ({
    name: `${symbols[symbol]} ${page.quantities[symbol]}`,
    colour: GATE_COLOURS[symbol],
    dash: { i: null, f: "7 3", o: "2 3", g: "9 3 2 3", c: null, h: "7 3" }[symbol],
    values: stepsOnly.map((step) => page.summaries[of[symbol][step]][measure]),
  });
  const common = { steps: stepsOnly, now: stepsOnly.indexOf(state.step), width, height: 250 };
  box.replaceChildren(
    h("div", {}, h("h3", {}, "Mean of each gate over all maps: 0 is closed, 1 is open"),
      lineChart({ ...common, series: ["i", "f", "o"].map((s) => line(memory.values, s, "mean")), range: [0, 1], label: "mean of the gates over time" })),
    h("div", {}, h("h3", {}, "Norm of the loss's gradient with respect to cell, output and gates"),
      lineChart({ ...common, log: true, series: Object.keys(page.quantities).map((s) => line(memory.derivatives, s, "norm")), label: "norms of gradients over time" })),
  );
}

function drawChecks() {
  const smooth = page.checks.filter((check) => !check.kink);
  const worst = Math.max(0, ...smooth.map((check) => check.error));
  const kinks = page.checks.length - smooth.length;
  document.getElementById("checks-description").textContent =
    `In float64, on the same sequence: ∂L/∂z from the backward pass beside (L(z + h) − L(z − h)) / 2h, h = ${minus(page.step_sizes[0].toExponential())}, for the entry with the largest derivative of each array, and some others. `
    + `${smooth.length} entries agree within ${short(worst)}.`
    + (kinks ? ` ${kinks} are at kinks, where the slopes on the two sides, or with two step sizes h, differ: max pooling between equal values, the sampler at a pixel's centre, a clamp. There is no derivative there; the backward pass makes the same choice as Torch7.` : "");
  const head = h("tr", {}, ...["array", "entry"].map((t) => h("th", { scope: "col" }, t)),
    ...["backward pass", "finite difference", "relative error"].map((t) => h("th", { scope: "col", class: "number" }, t)), h("th", { scope: "col" }, ""));
  const body = page.checks.map((check, i) => {
    const repeated = i && page.checks[i - 1].what === check.what;
    const digits = check.error > 0 ? Math.max(0, 12 + Math.log10(check.error)) : 0;
    const badge = check.kink
      ? h("span", { class: "badge kink", title: `slopes: left ${check.left}, right ${check.right}, smaller h ${check.finer}` }, `kink: ${short(check.left)} | ${short(check.right)}`)
      : check.error < 1e-4 ? h("span", { class: "badge good" }, "agrees") : h("span", { class: "badge kink" }, "look here");
    return h("tr", { "data-what": check.what },
      h("td", {}, repeated ? "" : h("code", {}, check.what)),
      h("td", {}, `[${check.index.join(", ")}]`),
      h("td", { class: "number" }, number(check.analytic)),
      h("td", { class: "number" }, number(check.numeric)),
      h("td", { class: "number" }, h("span", { class: "bar", style: `width:${Math.min(12, digits) * 4}px`, "aria-hidden": true }), number(check.error, check.error.toExponential(1).replace("-", "−"))),
      h("td", {}, badge));
  });
  document.getElementById("checks-table").replaceChildren(h("table", { class: "checks" }, h("thead", {}, head), h("tbody", {}, ...body)));
}
