// The page: it reads a picture, lets the worker compute, and shows the result.

const LONGEST = 16000; // pixels of a side: a canvas holds 65,535, and upscaling makes 4 of each
const LIMITS = { upscale: 2, beautify: 8 }; // megapixels of the picture: memory of a browser tab

const element = (id) => document.getElementById(id);
const status = element("status");
let picture = null; // ImageData
let worker = null;
let turn = 0; // counts what the user asks for: what is late for the latest is dropped

function verb() {
  return new FormData(element("form")).get("verb");
}

async function open(file) {
  stop();
  const mine = turn;
  picture = null;
  element("run").disabled = true;
  element("result").hidden = true;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    if (mine === turn) {
      status.textContent = `${file.name}: cannot be read; choose a JPEG, PNG or WebP picture`;
    }
    return;
  }
  if (mine !== turn) return;
  const megapixels = (bitmap.width * bitmap.height) / 1e6;
  if (megapixels > LIMITS.beautify || Math.max(bitmap.width, bitmap.height) > LONGEST) {
    status.textContent =
      `${bitmap.width}×${bitmap.height} px: too large; choose a picture of at most ` +
      `${LIMITS.beautify} megapixels, and ${LONGEST} px on a side`;
    return;
  }
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // behind transparent parts
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const blob = await canvas.convertToBlob();
  if (mine !== turn) return;
  picture = context.getImageData(0, 0, canvas.width, canvas.height);
  show("before", blob);
  element("run").disabled = false;
  status.textContent = `${file.name}: ${picture.width}×${picture.height} px`;
}

function show(id, blob) {
  const image = element(id);
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
}

function start() {
  const megapixels = (picture.width * picture.height) / 1e6;
  const limit = LIMITS[verb()];
  if (megapixels > limit) {
    status.textContent =
      `${megapixels.toFixed(1)} megapixels: more than ${limit}; choose a smaller picture`;
    return;
  }
  stop();
  const mine = turn;
  const began = performance.now();
  worker = new Worker("worker.js", { type: "module" });
  element("run").disabled = true;
  element("stop").hidden = false;
  status.textContent = "Loading the network";
  worker.onmessage = async ({ data }) => {
    if (data.share !== undefined) {
      status.textContent = `${Math.round(100 * data.share)}%`;
      return;
    }
    if (data.error) {
      stop();
      status.textContent = data.error;
      return;
    }
    const canvas = new OffscreenCanvas(data.picture.width, data.picture.height);
    canvas.getContext("2d").putImageData(data.picture, 0, 0);
    const blob = await canvas.convertToBlob();
    if (mine !== turn) return;
    stop();
    show("after", blob);
    element("save").href = element("after").src;
    element("result").hidden = false;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    status.textContent = `${canvas.width}×${canvas.height} px in ${seconds} s`;
  };
  worker.onerror = () => {
    stop();
    status.textContent = "The network cannot be loaded; serve the folder that build.sh made";
  };
  worker.postMessage({
    verb: verb(),
    picture,
    strength: element("strength").valueAsNumber,
    balance: element("balance").valueAsNumber,
  });
}

function stop() {
  turn++;
  worker?.terminate();
  worker = null;
  element("stop").hidden = true;
  element("run").disabled = picture === null;
}

element("file").onchange = ({ target }) => target.files[0] && open(target.files[0]);
element("form").onchange = () => {
  element("beautify").hidden = verb() !== "beautify";
};
element("form").onsubmit = (event) => {
  event.preventDefault();
  start();
};
element("stop").onclick = () => {
  stop();
  status.textContent = "Stopped";
};
element("split").oninput = ({ target }) => {
  element("before").parentElement.style.setProperty("--split", `${target.value}%`);
};
element("drop").ondragover = (event) => {
  event.preventDefault();
  element("drop").classList.add("over");
};
element("drop").ondragleave = () => element("drop").classList.remove("over");
element("drop").ondrop = (event) => {
  event.preventDefault();
  element("drop").classList.remove("over");
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
};
