// The detail view: the arrays of the chosen cell, as pictures, histograms and numbers.

function drawDetail() {
  const module = page.modules[state.module];
  const step = stepOf(module);
  const path = module.path === "" ? "(the model)" : module.path;
  document.getElementById("detail-title").replaceChildren(h("code", {}, path), h("small", {}, `  ${module.type} ${module.description}, ${stepName(step)}`));
  const derivation = document.getElementById("detail-derivation");
  derivation.replaceChildren(module.docs ? "Derivation: " : "");
  if (module.docs) derivation.append(h("code", {}, module.docs));

  const entries = SIGNALS.flatMap((kind) => signalsAt(module, kind, step).map(([name, index]) => ({
    name, index, all: Object.values(module.signals[name]),
  })));
  for (const [parameter, at] of Object.entries(module.gradients)) {
    const when = at[step] !== undefined ? step : Object.keys(at)[0];
    const { weight } = page.parameters.find((p) => p.path === parameter);
    const description = when === "all" ? "added to its gradient, all steps" : `added to its gradient at step ${when}`;
    entries.push({ name: parameter, description, index: at[when], all: Object.values(at) });
    entries.push({ name: parameter, description: "the parameter", index: weight, all: [weight] });
  }
  const mostMaps = Math.max(1, ...entries.map(({ index }) => page.summaries[index].maps.shape[0]));
  const last = Math.max(0, Math.ceil(mostMaps / state.mapsPerPage) - 1) * state.mapsPerPage;
  state.first = Math.max(0, Math.min(state.first, last));
  drawDetailControls(mostMaps);
  const cards = entries.map(card);
  document.getElementById("cards").replaceChildren(...(cards.length ? cards : [h("p", { class: "empty" }, "Nothing here at this step.")]));
}

function drawDetailControls(mostMaps) {
  choiceOf("scale", { own: "own scale", shared: "shared scale" }, state.own ? "own" : "shared", (v) => choose({ own: v === "own" }));
  const upTo = Math.min(mostMaps, state.first + state.mapsPerPage);
  const sizes = h("select", { "aria-label": "maps per page", onchange: (event) => choose({ mapsPerPage: +event.target.value, first: 0 }) });
  for (const n of [1, 4, 16, 64]) sizes.append(h("option", { value: n, ...(n === state.mapsPerPage ? { selected: "" } : {}) }, `${n} per page`));
  document.getElementById("pager").replaceChildren(
    h("button", { type: "button", "aria-label": "previous maps", onclick: () => turnPage(-1) }, "‹"),
    h("output", {}, mostMaps > 1 ? `${state.first + 1}–${upTo} of ${mostMaps}` : "1 map"),
    h("button", { type: "button", "aria-label": "next maps", onclick: () => turnPage(1) }, "›"),
    sizes,
  );
  const bar = h("canvas", { "aria-hidden": true });
  drawScale(bar, (x) => diverging(2 * x - 1));
  document.getElementById("signed-legend").replaceChildren("−", bar, "+");
}

const turnPage = (pages) => choose({ first: state.first + pages * state.mapsPerPage });

/** A card: the maps of one array, its norm, numbers and histogram. */
function card({ name, description, index, all }) {
  const summary = page.summaries[index];
  const maps = summary.maps;
  const shape = summary.shape.join("×") || "1";
  const shared = Math.max(...all.flatMap((n) => page.summaries[n].maps.scales));
  const count = maps.shape[0];
  // A vector is one map: beside arrays of many maps it stays on its first page.
  const first = state.first < count ? state.first : 0;
  const shown = [...Array(Math.min(state.mapsPerPage, count - first)).keys()].map((i) => first + i);
  const columns = Math.ceil(Math.sqrt(shown.length * Math.max(1, maps.shape[1] / maps.shape[2])));
  const box = h("div", { class: "maps", style: `grid-template-columns:repeat(${columns},minmax(0,1fr))` });
  for (const k of shown) {
    const canvas = h("canvas", { role: "img" });
    drawMap(canvas, maps, k, state.own ? maps.scales[k] : shared);
    const channel = maps.chosen ? maps.chosen[k] : k;
    canvas.setAttribute("aria-label", `${name}, map ${channel}, largest magnitude ${short(maps.scales[k])}`);
    box.append(h("figure", {}, canvas, count > 1 ? h("figcaption", {}, `${channel} ±${short(maps.scales[k])}`) : null));
  }
  const selection = maps.of > count ? `the ${count} of ${maps.of} maps with the largest gradient · ` : "";
  const averaged = maps.full[0] > maps.shape[1] || maps.full[1] > maps.shape[2] ? `averaged from ${maps.full.join("×")} · ` : "";
  return h(
    "article",
    { class: "card", "data-signal": description ? `${name}:${description}` : name },
    h("h3", {}, h("code", {}, name), h("span", {}, shape)),
    description ? h("p", { class: "numbers" }, description) : null,
    h("p", { class: "norm" }, h("small", {}, "norm "), number(summary.norm)),
    h("p", { class: "numbers" }, selection, averaged, "mean ", number(summary.mean, short(summary.mean)), " · from ", number(summary.min, short(summary.min)),
      " to ", number(summary.max, short(summary.max)), ` · ${short(100 * summary.zeros)}% zeros`),
    box,
    histogram(summary, name),
    ends(summary),
  );
}

/** The histogram of an array, counts on a logarithmic scale. */
function histogram(summary, name) {
  const counts = summary.histogram;
  const highest = Math.log1p(Math.max(...counts));
  const plot = svg("svg", { class: "histogram", viewBox: `0 0 ${counts.length} 20`, preserveAspectRatio: "none", role: "img", "aria-label": `histogram of ${name}` });
  const middle = (counts.length - 1) / 2;
  counts.forEach((n, i) => {
    const barHeight = highest ? (20 * Math.log1p(n)) / highest : 0;
    const colour = css(diverging(i === middle ? 0.08 : (i < middle ? -1 : 1) * (0.35 + 0.4 * Math.abs(i - middle) / middle)));
    const title = svg("title", {}, `${n} values`);
    if (n) plot.append(svg("rect", { x: i + 0.06, width: 0.88, y: 20 - barHeight, height: barHeight, fill: i === middle ? "var(--plot)" : colour }, title));
  });
  return plot;
}

/** The labels below a histogram. */
function ends(summary) {
  const largest = Math.max(Math.abs(summary.min ?? 0), Math.abs(summary.max ?? 0));
  return h("div", { class: "ends" }, h("span", {}, short(-largest)), h("span", {}, "0"), h("span", {}, short(largest)));
}
