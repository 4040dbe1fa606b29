// A drawing area, for the pointer and for the keyboard.

const SIZE = 280;

export class Paper {
  // `drawn` is called when a stroke ends.
  constructor(canvas, drawn) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.pen = { x: SIZE / 2, y: SIZE / 2, down: false };
    this.drawn = drawn;
    this.clear();
    this.#takePointer();
    this.#takeKeys();
  }

  clear() {
    this.context.fillStyle = "#000";
    this.context.fillRect(0, 0, SIZE, SIZE);
  }

  put(source) {
    this.clear();
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(source, 0, 0, SIZE, SIZE);
  }

  // The drawing cut out and centred, `share` of the side long; null where there is none.
  centred(share) {
    const box = this.#box();
    if (!box) return null;
    const [width, height] = [box.right - box.left + 1, box.bottom - box.top + 1];
    const scale = (SIZE * share) / Math.max(width, height);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIZE;
    canvas.getContext("2d").drawImage(this.canvas, box.left, box.top, width, height,
      (SIZE - scale * width) / 2, (SIZE - scale * height) / 2, scale * width, scale * height);
    return canvas;
  }

  #box() {
    const { data } = this.context.getImageData(0, 0, SIZE, SIZE);
    const box = { left: SIZE, right: -1, top: SIZE, bottom: -1 };
    for (let index = 0; index < data.length; index += 4) {
      if (data[index] < 60) continue;
      const [x, y] = [(index / 4) % SIZE, Math.floor(index / 4 / SIZE)];
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x);
      box.top = Math.min(box.top, y);
      box.bottom = Math.max(box.bottom, y);
    }
    return box.right < 0 ? null : box;
  }

  #line(x, y) {
    this.context.strokeStyle = "#fff";
    this.context.lineWidth = 24;
    this.context.lineCap = "round";
    this.context.beginPath();
    this.context.moveTo(this.pen.x, this.pen.y);
    this.context.lineTo(x, y);
    this.context.stroke();
    Object.assign(this.pen, { x, y });
  }

  #takePointer() {
    const position = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [(SIZE * (event.clientX - box.left)) / box.width, (SIZE * (event.clientY - box.top)) / box.height];
    };
    const up = () => {
      if (this.pen.down) this.drawn();
      this.pen.down = false;
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      [this.pen.x, this.pen.y] = position(event);
      this.pen.down = true;
      this.#line(this.pen.x, this.pen.y);
    });
    this.canvas.addEventListener("pointermove", (event) => this.pen.down && this.#line(...position(event)));
    this.canvas.addEventListener("pointerup", up);
    this.canvas.addEventListener("pointercancel", up);
  }

  #takeKeys() {
    const steps = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] };
    this.canvas.addEventListener("keydown", (event) => {
      const step = steps[event.key];
      if (event.key === " ") this.pen.down = true;
      if (!step && event.key !== " ") return;
      event.preventDefault();
      if (!step) return;
      const inside = (value) => Math.min(SIZE - 10, Math.max(10, value));
      const [x, y] = [inside(this.pen.x + step[0]), inside(this.pen.y + step[1])];
      if (this.pen.down) this.#line(x, y);
      else Object.assign(this.pen, { x, y });
    });
    this.canvas.addEventListener("keyup", (event) => {
      if (event.key !== " ") return;
      this.pen.down = false;
      this.drawn();
    });
  }
}
