// The matrix: which pair is under the pointer or the arrow keys. The coefficients are read from the picture itself.
"use strict";
const paletteIndices = async (address) => {
  const bytes = Uint8Array.from(atob(address.split(",")[1]), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  for (let at = 8; at < bytes.length; at += 12 + view.getUint32(at)) {
    if (view.getUint32(at + 4) !== 0x49444154) continue;
    const packed = new Blob([bytes.subarray(at + 8, at + 8 + view.getUint32(at))]);
    return new Uint8Array(await new Response(packed.stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
  }
  return null;
};
const element = (name, attributes = {}, text = null) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
};
const drawn = (name, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const watchMatrix = (figure, data, levels) => {
  const frame = figure.querySelector(".matrix-view"), svg = frame.querySelector("svg");
  const out = figure.querySelector(".readout"), [left, top, side] = data.box, cell = side / data.n;
  const cursor = drawn("g", { class: "cursor", "aria-hidden": "true" });
  svg.append(cursor);
  let row = -1, column = -1;
  const level = (i, j) => levels[i * (data.n + 1) + 1 + j];
  const said = (value) => value > data.steps ? "not known" : (value / data.steps).toFixed(3);
  const show = (i, j) => {
    [row, column] = [i, j];
    const [x, y, size] = [left + j * cell, top + i * cell, Math.max(cell, 4)];
    cursor.replaceChildren(
      drawn("path", { d: `M${left} ${y + cell / 2}H${left + side}M${x + cell / 2} ${top}V${top + side}`, class: "cross" }),
      ...["halo", "line"].map((kind) => drawn("rect", {
        x: x - (size - cell) / 2, y: y - (size - cell) / 2, width: size, height: size, class: kind })));
    const values = [["coefficient", said(level(Math.max(i, j), Math.min(i, j)))]];
    if (data.aligned) values.push(["aligned", said(level(Math.min(i, j), Math.max(i, j)))]);
    out.replaceChildren(...[["row", i], ["column", j]].map(([name, at]) => {
      const one = element("div", { class: "one" });
      one.append(element("dt", {}, name), element("dd", {}, ""));
      one.lastChild.append(element("code", {}, data.ids[at]), element("span", {}, data.words[data.of[at]]));
      return one;
    }), ...values.map(([name, value]) => {
      const one = element("div", { class: "value" });
      one.append(element("dt", {}, name), element("dd", {}, value));
      return one;
    }));
  };
  const hide = () => { cursor.replaceChildren(); out.replaceChildren(hint.cloneNode(true)); row = column = -1; };
  const hint = element("p", { class: "quiet" }, "Point at the matrix, or move in it with the arrow keys, to read off a pair.");
  hide();
  out.hidden = false;
  frame.tabIndex = 0;
  const point = (event) => {
    const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
    const j = Math.floor(((event.clientX - box.left) * scale - left) / cell);
    const i = Math.floor(((event.clientY - box.top) * scale - top) / cell);
    if (i >= 0 && j >= 0 && i < data.n && j < data.n) show(i, j);
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0],
    PageDown: [10, 0], Home: [0, -data.n], End: [0, data.n] };
  frame.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { hide(); return; }
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const bound = (at) => Math.min(data.n - 1, Math.max(0, at));
    if (row < 0) show(0, 0); else show(bound(row + move[0]), bound(column + move[1]));
  });
};
for (const figure of document.querySelectorAll(".matrix-figure")) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  if (typeof DecompressionStream === "undefined") continue;
  paletteIndices(figure.querySelector("image").getAttribute("href")).then((levels) => {
    if (levels) watchMatrix(figure, data, levels);
  });
}
