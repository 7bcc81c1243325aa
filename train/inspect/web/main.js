// Start-up, keys and theme.

function refresh() {
  drawFrameStrip();
  drawGrid();
  drawDetail();
  drawCurves();
  drawMemory();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  if (bytes) refresh();
}

const preferred = window.matchMedia("(prefers-color-scheme: dark)");
const otherTheme = () => (document.documentElement.dataset.theme === "dark" ? "light" : "dark");

function onKey(event) {
  const help = document.getElementById("help");
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (["SELECT", "INPUT"].includes(event.target.tagName)) return;
  const quantities = Object.keys(QUANTITIES);
  const actions = {
    ArrowUp: () => move(-1, 0),
    ArrowDown: () => move(1, 0),
    ArrowLeft: () => move(0, -1),
    ArrowRight: () => move(0, 1),
    Home: () => move(0, -page.columns.length),
    End: () => move(0, page.columns.length),
    "[": () => turnPage(-1),
    "]": () => turnPage(1),
    "{": () => choose({ memoryMap: state.memoryMap - 1 }),
    "}": () => choose({ memoryMap: state.memoryMap + 1 }),
    s: () => choose({ own: !state.own }),
    m: () => choose({ memoryView: state.memoryView === "values" ? "derivatives" : "values" }),
    t: () => setTheme(otherTheme()),
    "?": () => help.showModal(),
  };
  quantities.forEach((quantity, i) => { actions[i + 1] = () => choose({ quantity }); });
  // Outside the grid the arrow keys scroll, as on any page.
  const inGrid = event.target === document.body || event.target.closest("#grid-box, #frame-strip");
  if (!actions[event.key] || (/^(Arrow|Home|End)/.test(event.key) && !inGrid)) return;
  event.preventDefault();
  actions[event.key]();
}

/** Start at the memory, or another module with parameters, at the last step with a gradient. */
function chooseFirst() {
  const isMemory = (module) => page.memories.some((memory) => memory.path === module.path);
  const last = (module) => page.columns.filter((step) => norm(module, "grad_output", step) > 0).at(-1);
  const trained = page.modules.filter((module) => Object.keys(module.gradients).length && last(module));
  const module = trained.find(isMemory) || trained[0] || page.modules[0];
  Object.assign(state, { module: page.modules.indexOf(module), step: last(module) ?? state.step });
}

async function start() {
  setTheme(preferred.matches ? "dark" : "light");
  preferred.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
  document.getElementById("facts").replaceChildren(...page.facts.filter(([, text]) => text).map(([name, text]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, name === "made by" ? h("code", {}, text) : text))));
  document.getElementById("theme-button").onclick = () => setTheme(otherTheme());
  document.getElementById("help-button").onclick = () => document.getElementById("help").showModal();
  if (!("DecompressionStream" in window)) {
    document.querySelector("main").prepend(h("p", { class: "lead" }, "This browser is too old for this page, which needs DecompressionStream (Chrome 80, Firefox 113, Safari 16.4)."));
    return;
  }
  await loadPictures();
  chooseFirst();
  refresh();
  drawChecks();
  document.addEventListener("keydown", onKey);
  window.addEventListener("resize", () => { drawCurves(); drawMemory(); });
  followPointer();
  document.documentElement.dataset.ready = "true";
}

start();
