// What the page asks the server, what it shows when that fails, and how it draws.

export const element = (id) => document.getElementById(id);

export function showError(error) {
  element("error").hidden = !error;
  element("error").textContent = error ? error.message : "";
}

export async function ask(path, body) {
  let reply;
  try {
    reply = await fetch(path, body && { method: "POST", body: JSON.stringify(body) });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const text = await reply.text();
  let content;
  try {
    content = JSON.parse(text);
  } catch {
    throw new Error(reply.ok ? "The answer holds values that are no numbers." : text);
  }
  if (!reply.ok) throw new Error(content.error);
  return content;
}

export const predict = async (model, signature_name, inputs) =>
  (await ask(`v1/models/${encodeURIComponent(model)}:predict`, { signature_name, inputs })).outputs;

// Runs a job now, or when the running one ends; of those that came meanwhile only the last.
export function latest(job) {
  let running = false;
  let again = false;
  return async function run() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      do {
        again = false;
        await job();
      } while (again);
      showError(null);
    } catch (error) {
      showError(error);
    } finally {
      running = false;
    }
  };
}

// An image, height x width x channels in [0, 1]; or a point, two numbers, among others.
export function draw(canvas, image) {
  if (!Array.isArray(image[0])) return drawPoints(canvas, [image]);
  const [height, width] = [image.length, image[0].length];
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  image.flat().forEach((pixel, index) => {
    for (let channel = 0; channel < 3; channel++)
      pixels.data[4 * index + channel] = 255 * pixel[pixel.length > 2 ? channel : 0];
    pixels.data[4 * index + 3] = 255;
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

export function drawPoints(canvas, points, reach = 3) {
  canvas.width = canvas.height = 200;
  const context = canvas.getContext("2d");
  context.fillStyle = "#9d92ff";
  for (const [x, y] of points) {
    context.beginPath();
    context.arc(100 + (100 * x) / reach, 100 - (100 * y) / reach, 3, 0, 7);
    context.fill();
  }
}
