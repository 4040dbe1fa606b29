// Samples on a canvas, and pictures of the user's as samples.

// The channels that pictures of the chosen model show: one, three, or four of which the last is opacity.
let shown = null;

export function showChannelsOf(kind) {
  const first = kind?.channels >= 3 ? [0, 1, 2] : [0];
  shown = kind?.kind === "images" ? (kind.shown ?? first) : null;
}

const channelsOf = (pixel) => (shown && Math.max(...shown) < pixel.length ? shown : pixel.length > 2 ? [0, 1, 2] : [0]);

// A sample of a kind: an image, height x width x channels in [0, 1], or a point among others.
export function draw(canvas, sample, kind = "images") {
  if (kind === "points") return drawPoints(canvas, [sample]);
  const [height, width] = [sample.length, sample[0].length];
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  const channels = channelsOf(sample[0][0]);
  sample.flat().forEach((pixel, index) => {
    for (let channel = 0; channel < 3; channel++)
      pixels.data[4 * index + channel] = 255 * pixel[channels[channels.length > 1 ? channel : 0]];
    pixels.data[4 * index + 3] = channels.length > 3 ? 255 * pixel[channels[3]] : 255;
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function drawPoints(canvas, points, reach = 3) {
  canvas.width = canvas.height = 200;
  const context = canvas.getContext("2d");
  context.fillStyle = "#9d92ff";
  for (const [x, y] of points) {
    context.beginPath();
    context.arc(100 + (100 * x) / reach, 100 - (100 * y) / reach, 3, 0, 7);
    context.fill();
  }
}

export const shapeOf = (image) => [image.length, image[0].length, image[0][0].length];

// The mean of each cell of a canvas or picture, so that thin strokes do not vanish.
export function shrink(source, [height, width, channels]) {
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
      const grey = Math.min(1, 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]);
      if (channels === 3) return colour;
      if (channels === 1) return [grey];
      if (shown?.length === 4) return [...colour, mean(row, column, 3)];
      // A picture has no more than three of many channels: these where they are shown, grey elsewhere.
      return Array.from({ length: channels }, (_, channel) => colour[channelsOf(Array(channels)).indexOf(channel)] ?? grey);
    }));
}

// Hands each picture that is chosen in a file input to `take`; one at a time.
export function onUpload(input, take, fail) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (!file) return;
    const url = URL.createObjectURL(file);
    const picture = new Image();
    picture.onload = () => {
      take(picture);
      URL.revokeObjectURL(url);
    };
    picture.onerror = () => fail(new Error(`${file.name} is no image that this browser reads.`));
    picture.src = url;
    input.value = "";
  });
}
