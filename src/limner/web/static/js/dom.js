/**
 * Make an element.
 * @param {string} tag
 * @param {Object<string, any>} [props] Attributes; `on…` are listeners, `class` is the class.
 * @param {...(Node|string|null|undefined|false|Array)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(element, name, value);
  element.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

function set(element, name, value) {
  const isState = name.startsWith("aria-"); // "false" is a value
  if (value === null || value === undefined || (value === false && !isState)) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "checked" || name === "open" || name === "hidden")
    element[name] = value;
  else element.setAttribute(name, value === true && !isState ? "" : value);
}

/**
 * Find an element by its id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Call a function some time after the last of several calls.
 * @param {number} wait Milliseconds.
 * @param {Function} action
 * @returns {Function}
 */
export function later(wait, action) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), wait);
  };
}

const PATHS = {
  stylize: "M14 4l6 6-9.5 9.5c-1.6 1.6-4.4 1.5-7.5.5 1.2-1.4.7-3.6 2-5zM12 6l6 6",
  hybridize: "M9 5a7 7 0 1 0 0 14a7 7 0 1 0 0-14M15 5a7 7 0 1 1 0 14a7 7 0 1 1 0-14",
  sketch: "M4 20l1-5L16 4l4 4L9 19zM13 7l4 4",
  colorize: "M12 3c4.500 5 6.500 8 6.500 11a6.500 6.500 0 0 1-13 0C5.500 11 7.500 8 12 3zM9 14a3 3 0 0 0 3 3",
  beautify:
    "M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8M12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2",
  generate:
    "M12 3l1.800 5.200L19 10l-5.200 1.800L12 17l-1.800-5.200L5 10l5.200-1.800zM19 16v5M16.500 18.500h5",
  upscale: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  gallery: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  queue: "M4 6h16M4 12h16M4 18h10",
  upload: "M12 16V5M7 9l5-5 5 5M4 17v3h16v-3",
  download: "M12 4v11M7 11l5 5 5-5M4 20h16",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  stop: "M7 7h10v10H7z",
  again: "M20 11a8 8 0 1 0-2.300 6.500M20 5v6h-6",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
  up: "M12 19V5M6 11l6-6 6 6",
  check: "M5 12.500l5 5L20 7",
  right: "M5 12h14M13 6l6 6-6 6",
  brush: "M20 4 10.5 13.5M9 13c-3 0-4 2-4 4 0 1-1 2-2 2 1 1.3 3 2 4.5 2 2.5 0 4.5-1.5 4.5-4 0-2-1.3-4-3-4z",
  eraser: "M4 15 13.5 5.5a2 2 0 0 1 2.8 0l3.7 3.7a2 2 0 0 1 0 2.8L12.5 19.5H8.5zM9 10l6 6M12 20h9",
  pick: "M13 7l4 4M11.5 8.5 4.5 15.5 3.5 20.5l5-1 7-7M13 6l5 5M15 8l2.5-3a2.1 2.1 0 0 1 3 3l-3 2.5z",
  move: "M12 3v18M3 12h18M12 3 9.5 5.5M12 3l2.5 2.5M12 21l-2.5-2.5M12 21l2.5-2.5M3 12l2.5-2.5M3 12l2.5 2.5M21 12l-2.5-2.5M21 12l-2.5 2.5",
  undo: "M8 5 4 9l4 4M4 9h10a5.5 5.5 0 0 1 0 11h-4",
  redo: "M16 5l4 4-4 4M20 9H10a5.5 5.5 0 0 0 0 11h4",
  clear: "M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13M10 11v5M14 11v5",
  warn: "M12 4L2.500 20h19zM12 10v4M12 17v.5",
};

/**
 * Make an icon. It is decoration: the words beside it, or the label of its button, say the same.
 * @param {string} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name] ?? PATHS.generate);
  svg.append(path);
  return svg;
}
