// The classifier to fool: draw or upload an image, see its answer, and what an attack makes of it.

import { draw, makeBars, onUpload, shapeOf, showBars, shrink } from "./pictures.js";
import { ask, element, latest, showError } from "./server.js";

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
  showBars(element("bars"), reply.before, reply.after);
});

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
onUpload(element("upload"), (picture) => {
  put(picture);
  image = shrink(picture, shape);
  show();
}, showError);
element("from-gallery").addEventListener("click", () => {
  put(element("sample"));
  image = sample;
  show();
});
element("sample").addEventListener("sample", ({ detail }) => {
  sample = detail;
  element("from-gallery").hidden = !detail || shapeOf(detail).join() !== shape?.join();
});
element("epsilon").addEventListener("input", (event) => {
  element("epsilon-value").textContent = Number(event.target.value).toFixed(2);
  show();
});

// Called once, where the server has a classifier.
export function take(classifier) {
  ({ shape, class_names: names } = classifier);
  element("tab-fool").hidden = false;
  makeBars(element("bars"), names);
  element("sample").dispatchEvent(new CustomEvent("sample", { detail: sample }));
}

clear();
