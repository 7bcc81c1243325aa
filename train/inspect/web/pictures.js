// Pictures: the page's bytes, colours, canvases.

/** All pictures of the page, one after the other; set by `loadPictures`. */
let bytes = null;

/** Inflate the bytes that the page carries. */
async function loadPictures() {
  const text = atob(document.getElementById("pictures").textContent);
  const packed = Uint8Array.from(text, (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  bytes = new Uint8Array(await new Response(stream).arrayBuffer());
}

const mix = (a, b, fraction) => a.map((x, i) => x + (b[i] - x) * fraction);

/** The colour of x in -1..1: blue below zero, red above; zero has that of the background. */
function diverging(x) {
  const dark = document.documentElement.dataset.theme === "dark";
  const zero = dark ? [30, 32, 38] : [250, 250, 248];
  const strong = x < 0 ? (dark ? [72, 158, 255] : [18, 82, 190]) : dark ? [255, 108, 72] : [190, 28, 20];
  const far = x < 0 ? (dark ? [205, 232, 255] : [6, 30, 92]) : dark ? [255, 226, 190] : [92, 6, 12];
  const size = Math.min(1, Math.abs(x));
  return size < 0.75 ? mix(zero, strong, size / 0.75) : mix(strong, far, (size - 0.75) / 0.25);
}

const SEQUENTIAL = [[38, 20, 84], [58, 58, 140], [40, 104, 150], [32, 146, 140], [86, 186, 104], [190, 214, 60], [250, 232, 90]];

/** The colour of x in 0..1, from dark blue to yellow. */
function sequential(x) {
  const position = Math.max(0, Math.min(1, x)) * (SEQUENTIAL.length - 1);
  const low = Math.min(SEQUENTIAL.length - 2, Math.floor(position));
  return mix(SEQUENTIAL[low], SEQUENTIAL[low + 1], position - low);
}

const css = (colour) => `rgb(${colour.map(Math.round).join(" ")})`;

/** Black or white, whichever reads better on a colour. */
function inkOn(colour) {
  const [r, g, b] = colour.map((v) => (v / 255 <= 0.04045 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

/** The 255 colours of bytes -127..127 whose scale is this fraction of the legend's. */
function palette(fraction) {
  const colours = [];
  for (let level = -127; level <= 127; level++) colours.push(diverging((level / 127) * fraction));
  return colours;
}

/** Draw map `k` of stored maps; `scale` is the value drawn in full colour. */
function drawMap(canvas, maps, k, scale) {
  const [, height, width] = maps.shape;
  const levels = new Int8Array(bytes.buffer, maps.at + k * height * width, height * width);
  const colours = palette(scale > 0 ? maps.scales[k] / scale : 0);
  paint(canvas, height, width, (pixel) => colours[levels[pixel] + 127]);
  canvas.hover = (x, y) => {
    const value = (levels[y * width + x] / 127) * maps.scales[k];
    const [fullHeight, fullWidth] = maps.full;
    const at = `(${Math.floor((y * fullHeight) / height)}, ${Math.floor((x * fullWidth) / width)})`;
    return `${at} ≈ ${short(value)}`;
  };
}

/** Draw a stored picture, grey or in colour. */
function drawPicture(canvas, picture) {
  const [height, width, channels] = picture.shape;
  paint(canvas, height, width, (pixel) => {
    const at = picture.at + pixel * channels;
    return channels === 3 ? [bytes[at], bytes[at + 1], bytes[at + 2]] : [bytes[at], bytes[at], bytes[at]];
  });
}

function paint(canvas, height, width, colourOf) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const [r, g, b] = colourOf(pixel);
    image.data.set([r, g, b, 255], 4 * pixel);
  }
  context.putImageData(image, 0, 0);
}

/** Draw a colour bar from left to right. */
function drawScale(canvas, colourAt) {
  paint(canvas, 1, 128, (pixel) => colourAt(pixel / 127));
}

/** Show a tooltip with the value of the pixel under the pointer. */
function followPointer() {
  const tip = document.getElementById("tip");
  document.addEventListener("pointermove", (event) => {
    const canvas = event.target;
    if (!canvas.hover) {
      tip.hidden = true;
      return;
    }
    const box = canvas.getBoundingClientRect();
    const x = Math.min(canvas.width - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * canvas.width)));
    const y = Math.min(canvas.height - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * canvas.height)));
    tip.textContent = canvas.hover(x, y);
    tip.hidden = false;
    const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${left}px`;
    tip.style.top = `${event.clientY + 18}px`;
  });
}
