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

// A canvas or picture as it is; a sample on a canvas.
export function canvasOf(source) {
  if (!Array.isArray(source)) return source;
  const canvas = document.createElement("canvas");
  draw(canvas, source);
  return canvas;
}

// Height and width of a canvas or picture.
export const sizeOf = (source) => [source.naturalHeight ?? source.height, source.naturalWidth ?? source.width];

function toEven(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

// As training reads files: which part of a picture is seen, and where in the sample it lies, each as left,
// top, width and height. "crop" cuts what is too long, "pad" keeps all, "stretch" changes proportions.
function placed(how, [high, wide], [height, width]) {
  const scales = [height / high, width / wide];
  // A drawing without a size of its own fills what there is.
  if (!scales.every(Number.isFinite)) how = "stretch";
  if (how === "crop") {
    const scale = Math.max(...scales);
    const [tall, broad] = [height / scale, width / scale];
    return { from: [(wide - broad) / 2, (high - tall) / 2, broad, tall], to: [0, 0, width, height] };
  }
  const scale = Math.min(...scales);
  const inner = (side, most) => Math.min(most, Math.max(1, toEven(side * scale)));
  const [tall, broad] = how === "pad" ? [inner(high, height), inner(wide, width)] : [height, width];
  const corner = [Math.floor((width - broad) / 2), Math.floor((height - tall) / 2)];
  return { from: [0, 0, wide, high], to: [...corner, broad, tall] };
}

// The canvas or picture, `factor` times the sample's size; transparency lies on the reading's background unless
// opacity is a channel of its own.
function laid(source, [height, width, channels], { resize, background }, factor, keepsOpacity) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * factor, height * factor];
  const target = canvas.getContext("2d", { willReadFrequently: true });
  target.imageSmoothingQuality = "high";
  const { from, to } = placed(resize, sizeOf(source), [height, width]);
  // At its own size nothing runs over edges.
  target.imageSmoothingEnabled = from[2] !== to[2] || from[3] !== to[3];
  const box = to.map((value) => value * factor);
  target.fillStyle = background;
  // What is added to other channels than grey or colour is 0.
  const filled = [1, 3].includes(channels) ? [0, 0, canvas.width, canvas.height] : box;
  if (!keepsOpacity) target.fillRect(...filled);
  target.drawImage(source, ...from, ...box);
  return target.getImageData(0, 0, canvas.width, canvas.height);
}

// Whether the last channel of images of a kind is their opacity: of grey and one more where grey is shown, and of
// colour where it is shown itself.
export const hasOpacity = ({ channels, shown }) => shown?.length === (channels === 2 ? 1 : 4) && [2, 4].includes(channels);

// A canvas or picture as a sample of that shape, by a reading's resizing and background: the mean of each cell,
// so that thin strokes do not vanish.
export function shrink(source, shape, reading, keepsOpacity = shape[2] === 4 && shown?.length === 4) {
  const [height, width, channels] = shape;
  const factor = Math.max(1, Math.ceil(256 / Math.max(height, width)));
  const { data, width: across } = laid(source, shape, reading, factor, keepsOpacity);
  // Red, green, blue and opacity; colours count as much as they are seen.
  const mean = (row, column) => {
    const sums = [0, 0, 0, 0];
    for (let y = row * factor; y < (row + 1) * factor; y++)
      for (let x = column * factor; x < (column + 1) * factor; x++) {
        const at = 4 * (y * across + x);
        const opacity = data[at + 3];
        for (let channel = 0; channel < 3; channel++) sums[channel] += data[at + channel] * opacity;
        sums[3] += opacity;
      }
    const colour = sums.slice(0, 3).map((sum) => (sums[3] ? Math.min(1, sum / (255 * sums[3])) : 0));
    return [...colour, sums[3] / (255 * factor * factor)];
  };
  return Array.from({ length: height }, (_, row) =>
    Array.from({ length: width }, (_, column) => {
      const [red, green, blue, opacity] = mean(row, column);
      const colour = [red, green, blue];
      const grey = Math.min(1, 0.299 * red + 0.587 * green + 0.114 * blue);
      if (channels === 3) return colour;
      if (channels === 1) return [grey];
      if (keepsOpacity) return [...(channels === 2 ? [grey] : colour), opacity];
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
