// The lens: what is in the chosen cell, as pictures, histograms and numbers.

function drawLens() {
  const module = page.modules[state.module];
  const step = stepOf(module);
  const path = module.path === "" ? "(the model)" : module.path;
  document.getElementById("lens-title").replaceChildren(h("code", {}, path), h("small", {}, `  ${module.kind} ${module.about}, ${stepName(step)}`));
  const about = document.getElementById("lens-about");
  about.replaceChildren(module.docs ? "Derivation: " : "");
  if (module.docs) about.append(h("code", {}, module.docs));

  const entries = SIGNALS.flatMap((kind) => signalsAt(module, kind, step).map(([name, number]) => ({
    name, number, all: Object.values(module.signals[name]),
  })));
  for (const [parameter, at] of Object.entries(module.gradients)) {
    const when = at[step] !== undefined ? step : Object.keys(at)[0];
    const own = page.parameters.find((p) => p.path === parameter);
    const words = when === "all" ? "added to its gradient, all steps" : `added to its gradient at step ${when}`;
    entries.push({ name: parameter, about: words, number: at[when], all: Object.values(at), parameter: true });
    entries.push({ name: parameter, about: "the parameter", number: own.weight, all: [own.weight], parameter: true });
  }
  const most = Math.max(1, ...entries.map(({ number }) => page.readings[number].maps.shape[0]));
  const last = Math.max(0, Math.ceil(most / state.mapsAPage) - 1) * state.mapsAPage;
  state.first = Math.max(0, Math.min(state.first, last));
  drawLensControls(most);
  const cards = entries.map(card);
  document.getElementById("cards").replaceChildren(...(cards.length ? cards : [h("p", { class: "empty" }, "Nothing here at this step.")]));
}

function drawLensControls(most) {
  choiceOf("scale", { own: "own scale", shared: "shared scale" }, state.own ? "own" : "shared", (v) => choose({ own: v === "own" }));
  const upTo = Math.min(most, state.first + state.mapsAPage);
  const sizes = h("select", { "aria-label": "maps on a page", onchange: (event) => choose({ mapsAPage: +event.target.value, first: 0 }) });
  for (const n of [1, 4, 16, 64]) sizes.append(h("option", { value: n, ...(n === state.mapsAPage ? { selected: "" } : {}) }, `${n} a page`));
  document.getElementById("pager").replaceChildren(
    h("button", { type: "button", "aria-label": "maps before", onclick: () => turn(-1) }, "‹"),
    h("output", {}, most > 1 ? `${state.first + 1}–${upTo} of ${most}` : "1 map"),
    h("button", { type: "button", "aria-label": "next maps", onclick: () => turn(1) }, "›"),
    sizes,
  );
  const bar = h("canvas", { "aria-hidden": true });
  drawScale(bar, (x) => diverging(2 * x - 1));
  document.getElementById("signed-legend").replaceChildren("−", bar, "+");
}

const turn = (pages) => choose({ first: state.first + pages * state.mapsAPage });

/** A card: the maps of one array, its norm, numbers and histogram. */
function card({ name, about, number: which, all, parameter }) {
  const reading = page.readings[which];
  const maps = reading.maps;
  const shape = reading.shape.join("×") || "1";
  const shared = Math.max(...all.flatMap((n) => page.readings[n].maps.scales));
  const count = maps.shape[0];
  // A vector is one map; next to many maps its page stays the first.
  const first = state.first < count ? state.first : 0;
  const shown = [...Array(Math.min(state.mapsAPage, count - first)).keys()].map((i) => first + i);
  const columns = Math.ceil(Math.sqrt(shown.length * Math.max(1, maps.shape[1] / maps.shape[2])));
  const box = h("div", { class: "maps", style: `grid-template-columns:repeat(${columns},minmax(0,1fr))` });
  for (const k of shown) {
    const canvas = h("canvas", { role: "img" });
    drawMap(canvas, maps, k, state.own ? maps.scales[k] : shared);
    const index = maps.chosen ? maps.chosen[k] : k;
    canvas.setAttribute("aria-label", `${name}, map ${index}, largest magnitude ${short(maps.scales[k])}`);
    box.append(h("figure", {}, canvas, count > 1 ? h("figcaption", {}, `${index} ±${short(maps.scales[k])}`) : null));
  }
  const least = maps.of > count ? `the ${count} of ${maps.of} maps with the largest gradient · ` : "";
  const coarse = maps.full[0] > maps.shape[1] || maps.full[1] > maps.shape[2] ? `blocks of ${maps.full.join("×")} averaged · ` : "";
  return h(
    "article",
    { class: "card", "data-signal": parameter ? `${name}:${about}` : name },
    h("h3", {}, h("code", {}, name), h("span", {}, shape)),
    about ? h("p", { class: "numbers" }, about) : null,
    h("p", { class: "norm" }, h("small", {}, "norm "), number(reading.norm)),
    h("p", { class: "numbers" }, least, coarse, "mean ", number(reading.mean, short(reading.mean)), " · from ", number(reading.min, short(reading.min)),
      " to ", number(reading.max, short(reading.max)), ` · ${short(100 * reading.zeros)}% zeros`),
    box,
    histogram(reading, name),
    ends(reading),
  );
}

/** The histogram of a reading, counts on a logarithmic scale. */
function histogram(reading, name) {
  const counts = reading.histogram;
  const most = Math.log1p(Math.max(...counts));
  const plot = svg("svg", { class: "histogram", viewBox: `0 0 ${counts.length} 20`, preserveAspectRatio: "none", role: "img", "aria-label": `histogram of ${name}` });
  const middle = (counts.length - 1) / 2;
  counts.forEach((n, i) => {
    const tall = most ? (20 * Math.log1p(n)) / most : 0;
    const colour = css(diverging(i === middle ? 0.08 : (i < middle ? -1 : 1) * (0.35 + 0.4 * Math.abs(i - middle) / middle)));
    const title = svg("title", {}, `${n} numbers`);
    if (n) plot.append(svg("rect", { x: i + 0.06, width: 0.88, y: 20 - tall, height: tall, fill: i === middle ? "var(--plot)" : colour }, title));
  });
  return plot;
}

function ends(reading) {
  const most = Math.max(Math.abs(reading.min ?? 0), Math.abs(reading.max ?? 0));
  return h("div", { class: "ends" }, h("span", {}, short(-most)), h("span", {}, "0"), h("span", {}, short(most)));
}
