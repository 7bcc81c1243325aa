// Elements, numbers as text, and line charts.

/** Make an element: `h("td", {class: "x", onclick: f}, "text", child, ...)`. */
function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === null || value === undefined) continue;
    else element.setAttribute(name, value); // false is a value too: aria-expanded="false"
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const minus = (text) => text.replace(/-/g, "−");

/** A number with three digits. */
function short(x) {
  if (x === null || x === undefined) return "n/a";
  if (x === 0) return "0";
  const size = Math.abs(x);
  return minus(size >= 1e-3 && size < 1e4 ? String(+x.toPrecision(3)) : x.toExponential(2));
}

/** A number with seven digits. */
function exact(x) {
  if (x === null || x === undefined) return "n/a";
  const size = Math.abs(x);
  return minus(x === 0 || (size >= 1e-4 && size < 1e7) ? String(+x.toPrecision(7)) : x.toExponential(6));
}

/** A number with one or two digits, for a cell: 4.2, 31, 3e4, 5e−8. */
function tiny(x) {
  if (x === null || x === undefined) return "n/a";
  if (x === 0) return "0";
  if (x >= 0.01 && x < 1000) return x >= 100 ? x.toFixed(0) : String(+x.toPrecision(2));
  return minus(x.toExponential(0).replace("e+", "e"));
}

/** A number whose tooltip has all its digits. */
function number(x, text = exact(x)) {
  return h("span", { title: String(x), "data-value": String(x) }, text);
}

/**
 * A chart of lines over time steps.
 *
 * series: [{name, values: one number a step or null, chosen, colour, onclick}]. log: a logarithmic axis, on
 * which zeros are omitted. now: the index of the step to mark.
 */
function lineChart({ series, steps, log, now, label, height = 300, width = 1100, range = null, unit = "time step" }) {
  const shown = series.flatMap((s) => s.values).filter((v) => v !== null && v !== undefined && (!log || v > 0));
  if (!shown.length) return h("p", { class: "empty" }, "All values are zero.");
  const size = (v) => (log ? Math.log10(v) : v);
  let [low, high] = range || [Math.min(...shown.map(size)), Math.max(...shown.map(size))];
  if (log) [low, high] = [Math.floor(low + 1e-9), Math.ceil(high - 1e-9)];
  if (high <= low) [low, high] = [low - 0.5, high + 0.5];
  const left = 62, right = Math.min(230, width * 0.3), top = 12, bottom = 40;
  const x = (i) => left + (steps.length < 2 ? 0.5 : i / (steps.length - 1)) * (width - left - right);
  const y = (v) => top + ((high - size(v)) / (high - low)) * (height - top - bottom);
  const plot = svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });

  const every = log ? Math.max(1, Math.ceil((high - low) / 7)) : (high - low) / 4;
  for (let tick = low; tick <= high + 1e-9; tick += every) {
    const at = y(log ? 10 ** tick : tick);
    plot.append(svg("line", { class: "grid-line", x1: left, x2: width - right, y1: at, y2: at }));
    const text = log ? power(tick) : short(tick);
    plot.append(svg("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, text));
  }
  const sparse = Math.ceil(steps.length / Math.max(2, (width - left - right) / 34));
  steps.forEach((step, i) => {
    if (i % sparse === 0) plot.append(svg("text", { x: x(i), y: height - 20, "text-anchor": "middle" }, step));
  });
  plot.append(svg("text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" }, unit));
  if (now >= 0) plot.append(svg("line", { class: "now", x1: x(now), x2: x(now), y1: top, y2: height - bottom }));

  const labels = [];
  for (const one of [...series].sort((a, b) => (a.chosen || 0) - (b.chosen || 0))) {
    const points = one.values.map((v, i) => (v === null || v === undefined || (log && !(v > 0)) ? null : [x(i), y(v)]));
    let path = "";
    points.forEach((p, i) => {
      if (p) path += `${i && points[i - 1] ? "L" : "M"}${p[0].toFixed(1)} ${p[1].toFixed(1)}`;
    });
    if (!path) continue;
    const style = one.colour ? `stroke:${one.colour};stroke-width:2;opacity:1` : null;
    const dash = one.dash || null;
    plot.append(svg("path", { class: `series${one.chosen ? " chosen" : ""}`, d: path, style, "stroke-dasharray": dash }));
    if (one.onclick) {
      plot.append(svg("path", { class: "hit", d: path, onclick: one.onclick }, svg("title", {}, one.name)));
    }
    const dots = points.filter((p, i) => p && (one.chosen || (!points[i - 1] && !points[i + 1])));
    for (const p of dots) plot.append(svg("circle", { class: "mark", cx: p[0], cy: p[1], r: one.chosen ? 4 : 2.5 }));
    const last = points.filter(Boolean).at(-1);
    labels.push({ ...one, y: last[1] });
  }
  // Names at the right end, moved down where they would overlap; of many, those without room only show under the
  // pointer.
  labels.sort((a, b) => (b.chosen || 0) - (a.chosen || 0) || a.y - b.y);
  const taken = [];
  for (const one of labels) {
    let at = one.y + 4;
    const near = () => taken.find((other) => Math.abs(other - at) < 13);
    while (labels.length <= 8 && near() !== undefined) at = near() + 13;
    if (near() !== undefined) continue;
    taken.push(at);
    const style = one.colour && !one.chosen ? `fill:${one.colour}` : null;
    const attributes = { x: width - right + 9, y: at, class: one.chosen ? "strong" : null, style };
    plot.append(svg("text", attributes, one.name.length > 30 ? `…${one.name.slice(-29)}` : one.name));
  }
  return plot;
}

function power(exponent) {
  const digits = String(exponent).replace("-", "⁻").replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]);
  return `10${digits}`;
}
