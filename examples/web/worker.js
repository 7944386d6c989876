// Computes pictures with ONNX Runtime Web in the background, so that the page stays usable.

import * as ort from "./ort.wasm.min.mjs";

const TILE = 192; // pixels of the picture
const MARGIN = 16; // pixels around a tile; upscaler.md says how many it depends on

ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
// several threads need the headers that make a page cross-origin isolated
ort.env.wasm.numThreads = self.crossOriginIsolated ? navigator.hardwareConcurrency : 1;

// [1, 3, height, width] in 0..1 from a part of an ImageData.
function toTensor({ data, width }, left, top, right, bottom) {
  const size = (right - left) * (bottom - top);
  const values = new Float32Array(3 * size);
  let at = 0;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++, at++) {
      const pixel = 4 * (y * width + x);
      for (let c = 0; c < 3; c++) values[c * size + at] = data[pixel + c] / 255;
    }
  }
  return new ort.Tensor("float32", values, [1, 3, bottom - top, right - left]);
}

// Copy a part of a tensor, whose top left pixel is at (x, y), to (left, top) of an ImageData.
function copy(tensor, x, y, target, left, top, right, bottom) {
  const [, , height, width] = tensor.dims;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const from = (row - top + y) * width + (column - left + x);
      const pixel = 4 * (row * target.width + column);
      for (let c = 0; c < 3; c++) {
        target.data[pixel + c] = 255 * tensor.data[c * height * width + from]; // rounds and clips
      }
      target.data[pixel + 3] = 255;
    }
  }
}

async function upscale(picture) {
  const session = await ort.InferenceSession.create("upscaler.onnx");
  const { width, height } = picture;
  const tiles = [];
  for (let y = 0; y < height; y += TILE) for (let x = 0; x < width; x += TILE) tiles.push([x, y]);
  let result = null;
  for (const [index, [x, y]] of tiles.entries()) {
    const [left, top] = [Math.max(0, x - MARGIN), Math.max(0, y - MARGIN)];
    const [right, bottom] = [Math.min(width, x + TILE), Math.min(height, y + TILE)];
    const edges = [Math.min(width, right + MARGIN), Math.min(height, bottom + MARGIN)];
    const { large } = await session.run({ picture: toTensor(picture, left, top, ...edges) });
    const scale = large.dims[3] / (edges[0] - left);
    result ??= new ImageData(scale * width, scale * height);
    const inner = [scale * (x - left), scale * (y - top)];
    copy(large, ...inner, result, scale * x, scale * y, scale * right, scale * bottom);
    postMessage({ share: (index + 1) / tiles.length });
  }
  return result;
}

async function beautify(picture, strength, balance) {
  const session = await ort.InferenceSession.create("beautifier.onnx");
  const { width, height } = picture;
  const number = (value) => new ort.Tensor("float32", [value], [1, 1, 1, 1]);
  postMessage({ share: 0 });
  const { better } = await session.run({
    picture: toTensor(picture, 0, 0, width, height),
    strength: number(strength),
    white_balance: number(balance),
  });
  const result = new ImageData(width, height);
  copy(better, 0, 0, result, 0, 0, width, height);
  return result;
}

onmessage = async ({ data }) => {
  try {
    const made = data.verb === "upscale"
      ? upscale(data.picture)
      : beautify(data.picture, data.strength, data.balance);
    postMessage({ picture: await made });
  } catch (error) {
    postMessage({
      error:
        `The picture cannot be computed (${error.message ?? error}); try a smaller one, and serve ` +
        "the folder that build.sh made",
    });
  }
};
