// The classifier: draw or upload an image, see its answer, and what an attack makes of it.

import { ask, draw, element, latest } from "./server.js";

const paper = element("paper");
const context = paper.getContext("2d", { willReadFrequently: true });
const pen = { x: 140, y: 140, down: false };
let shape = null;
let names = [];
let image = null;
let sample = null;

const show = latest(async () => {
  if (!image) return;
  draw(element("clean"), image);
  const reply = await ask("kgan/attack", { image, epsilon: Number(element("epsilon").value) });
  draw(element("attacked"), reply.image);
  const best = (shares) => shares.indexOf(Math.max(...shares));
  const [before, after] = [best(reply.before), best(reply.after)];
  const answer = element("answer");
  answer.textContent = before === after ? `It sees ${names[before]}` : `It saw ${names[before]}, now ${names[after]}`;
  answer.classList.toggle("fooled", before !== after);
  [...element("bars").children].forEach((bar, index) => {
    const [first, second] = bar.querySelectorAll("span");
    first.style.width = `${100 * reply.before[index]}%`;
    second.style.width = `${100 * reply.after[index]}%`;
    bar.querySelector("b").textContent = `${Math.round(100 * reply.after[index])}%`;
  });
});

// The mean of each cell of a square canvas, so that thin strokes do not vanish.
function shrink(source, [height, width, channels]) {
  const big = document.createElement("canvas");
  const factor = Math.max(1, Math.ceil(256 / Math.max(height, width)));
  [big.width, big.height] = [width * factor, height * factor];
  const target = big.getContext("2d", { willReadFrequently: true });
  target.drawImage(source, 0, 0, big.width, big.height);
  const { data } = target.getImageData(0, 0, big.width, big.height);
  const mean = (row, column, channel) => {
    let sum = 0;
    for (let y = row * factor; y < (row + 1) * factor; y++)
      for (let x = column * factor; x < (column + 1) * factor; x++)
        sum += data[4 * (y * big.width + x) + channel];
    return sum / (255 * factor * factor);
  };
  return Array.from({ length: height }, (_, row) =>
    Array.from({ length: width }, (_, column) => {
      const colour = [0, 1, 2].map((channel) => mean(row, column, channel));
      return channels === 3 ? colour : [Math.min(1, 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])];
    }));
}

// Cut out and centred as the digits of MNIST are (20 of 28 pixels), or those of 8 pixels (all).
function centred() {
  const { data } = context.getImageData(0, 0, 280, 280);
  const box = { left: 280, right: 0, top: 280, bottom: 0 };
  for (let index = 0; index < data.length; index += 4) {
    if (data[index] < 60) continue;
    const [x, y] = [(index / 4) % 280, Math.floor(index / 4 / 280)];
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  if (box.right < box.left) return null;
  const [width, height] = [box.right - box.left + 1, box.bottom - box.top + 1];
  const scale = (280 * (shape[0] > 16 ? 20 / 28 : 1)) / Math.max(width, height);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 280;
  canvas.getContext("2d").drawImage(paper, box.left, box.top, width, height,
    (280 - scale * width) / 2, (280 - scale * height) / 2, scale * width, scale * height);
  return canvas;
}

function clear() {
  context.fillStyle = "#000";
  context.fillRect(0, 0, 280, 280);
}

function line(x, y) {
  context.strokeStyle = "#fff";
  context.lineWidth = 24;
  context.lineCap = "round";
  context.beginPath();
  context.moveTo(pen.x, pen.y);
  context.lineTo(x, y);
  context.stroke();
  Object.assign(pen, { x, y });
}

function takeDrawing() {
  const canvas = centred();
  if (!canvas) return;
  image = shrink(canvas, shape);
  show();
}

function put(source) {
  clear();
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, 280, 280);
}

const position = (event) => {
  const box = paper.getBoundingClientRect();
  return [(280 * (event.clientX - box.left)) / box.width, (280 * (event.clientY - box.top)) / box.height];
};
paper.addEventListener("pointerdown", (event) => {
  paper.setPointerCapture(event.pointerId);
  [pen.x, pen.y] = position(event);
  pen.down = true;
  line(pen.x, pen.y);
});
paper.addEventListener("pointermove", (event) => pen.down && line(...position(event)));
paper.addEventListener("pointerup", () => {
  pen.down = false;
  takeDrawing();
});
paper.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
  if (event.key === " ") pen.down = true;
  if (!step && event.key !== " ") return;
  event.preventDefault();
  if (!step) return;
  const [x, y] = [pen.x + step[0], pen.y + step[1]].map((value) => Math.min(270, Math.max(10, value)));
  if (pen.down) line(x, y);
  else Object.assign(pen, { x, y });
});
paper.addEventListener("keyup", (event) => {
  if (event.key !== " ") return;
  pen.down = false;
  takeDrawing();
});
element("clear").addEventListener("click", () => {
  clear();
  paper.focus();
});
element("upload").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  const url = URL.createObjectURL(file);
  const picture = new Image();
  picture.onload = () => {
    put(picture);
    image = shrink(picture, shape);
    URL.revokeObjectURL(url);
    show();
  };
  picture.onerror = () => {
    element("error").hidden = false;
    element("error").textContent = `${file.name} is no image that this browser reads.`;
  };
  picture.src = url;
  event.target.value = "";
});
element("from-gallery").addEventListener("click", () => {
  put(element("sample"));
  image = sample;
  show();
});
element("sample").addEventListener("sample", ({ detail }) => {
  sample = detail;
  const fits = [detail.length, detail[0].length, detail[0][0]?.length].join() === shape?.join();
  element("from-gallery").hidden = !fits;
});
element("epsilon").addEventListener("input", (event) => {
  element("epsilon-value").textContent = Number(event.target.value).toFixed(2);
  show();
});

const tabs = [...document.querySelectorAll('[role="tab"]')];
function open(tab) {
  for (const other of tabs) {
    other.ariaSelected = other === tab;
    other.tabIndex = other === tab ? 0 : -1;
    element(other.getAttribute("aria-controls")).hidden = other !== tab;
  }
}
for (const tab of tabs) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const other = tabs.find((one) => one !== tab && !one.hidden);
    if (!other) return;
    open(other);
    other.focus();
  });
}

clear();
const { classifier } = await ask("kgan/models").catch(() => ({ classifier: null }));
if (classifier) {
  ({ shape, class_names: names } = classifier);
  element("tab-fool").hidden = false;
  element("bars").replaceChildren(...names.map((name) => {
    const bar = document.createElement("div");
    bar.className = "bar";
    bar.innerHTML = '<i></i><div class="tracks"><span class="before"></span><span class="after"></span></div><b></b>';
    bar.querySelector("i").textContent = name;
    return bar;
  }));
  if (sample) element("sample").dispatchEvent(new CustomEvent("sample", { detail: sample }));
}
