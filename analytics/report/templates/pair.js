// One pair: a list to choose from, and zooming by buttons, keys, wheel and dragging. Zooming changes only what a panel shows.
const UNITS = 1000, NARROWEST_EV = 0.05, TALLEST = 64;
const roundTicks = (low, high, wanted) => {
  const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= 0.75 * rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) {
    found.push([i * step, i === 0 ? "0" : (i * step).toFixed(digits).replace("-", "−")]);
  }
  return found;
};
const zoomable = (view, edges) => {
  const data = JSON.parse(view.querySelector("script").textContent), svg = view.querySelector("svg.figure");
  const panels = [...svg.querySelectorAll("svg.zoomed")], sides = [...svg.querySelectorAll(".y-ticks")];
  const below = svg.querySelector(".x-ticks"), frame = view.querySelector(".pair-frame"), out = view.querySelector(".pair-readout");
  const whole = [data.low, data.high], [left, width] = data.axis, [first, last] = data.panels;
  let [low, high] = whole, tall = 1, from = null;
  const at = (event) => {
    const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    return low + Math.min(1, Math.max(0, (x - left) / width)) * (high - low);
  };
  const place = (energy) => left + (energy - low) / (high - low) * width;
  const text = (words, attributes) => {
    const made = drawn("text", { class: "tick", ...attributes });
    made.textContent = words;
    return made;
  };
  const draw = () => {
    panels.forEach((panel) => panel.setAttribute("viewBox", `${low} ${UNITS * (1 - 1 / tall)} ${high - low} ${UNITS / tall}`));
    const base = last[0] + last[1];
    below.replaceChildren(...roundTicks(low, high, 7).flatMap(([value, words]) => [
      drawn("line", { x1: place(value), x2: place(value), y1: base, y2: base + 5, class: "mark" }),
      text(words, { x: place(value), y: base + 23, "text-anchor": "middle" })]));
    sides.forEach((side, i) => {
      const [top, height] = data.panels[i], most = data.tops[i] / tall;
      side.replaceChildren(...roundTicks(0, most, 4).flatMap(([value, words]) => {
        const y = top + height * (1 - value / most);
        return [drawn("line", { x1: left, x2: left + width, y1: y, y2: y, class: "grid" }),
          text(words, { x: left - 7, y: y + 4.5, "text-anchor": "end" })];
      }));
    });
    said(`shown: ${low.toFixed(2)} … ${high.toFixed(2)} eV`.replaceAll("-", "−"));
  };
  const said = (words) => { out.textContent = words; };
  const zoom = (a, b) => {
    const range = Math.min(whole[1] - whole[0], Math.max(NARROWEST_EV, b - a)), middle = (a + b) / 2;
    low = Math.min(whole[1] - range, Math.max(whole[0], middle - range / 2));
    high = low + range;
    draw();
  };
  const by = (factor, about = (low + high) / 2) => zoom(about - (about - low) * factor, about + (high - about) * factor);
  const pan = (share) => zoom(low + share * (high - low), high + share * (high - low));
  const stretch = (factor) => { tall = Math.min(TALLEST, Math.max(1, tall * factor)); draw(); };
  const reset = () => { tall = 1; zoom(...whole); };
  const actions = { "+": () => by(0.5), "=": () => by(0.5), "-": () => by(2), ArrowLeft: () => pan(-0.25),
    ArrowRight: () => pan(0.25), ArrowUp: () => stretch(2), ArrowDown: () => stretch(0.5), Home: reset, "0": reset, Escape: reset };
  const bar = element("div", { class: "tools", role: "group", "aria-label": "Zoom" });
  for (const [sign, words, key] of [["+", "zoom in", "+"], ["−", "zoom out", "-"], ["←", "to lower energies", "ArrowLeft"],
    ["→", "to higher energies", "ArrowRight"], ["↑", "taller", "ArrowUp"], ["↓", "less tall", "ArrowDown"], ["reset", "reset the zoom", "0"]]) {
    const button = element("button", { type: "button", title: words, "aria-label": words }, sign);
    button.addEventListener("click", actions[key]);
    bar.append(button);
  }
  frame.before(bar);
  frame.tabIndex = 0;
  frame.addEventListener("keydown", (event) => {
    if (!actions[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[event.key]();
  });
  // A wheel that only passes by goes on scrolling the page.
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== frame) return;
    event.preventDefault();
    by(event.deltaY > 0 ? 1.25 : 0.8, at(event));
  }, { passive: false });
  const band = drawn("rect", { class: "selected", y: first[0], height: last[0] + last[1] - first[0], width: 0 });
  svg.append(band);
  svg.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    from = at(event);
    frame.focus({ preventScroll: true });
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    const energy = at(event);
    if (from !== null) {
      band.setAttribute("x", place(Math.min(from, energy)));
      band.setAttribute("width", Math.abs(place(energy) - place(from)));
      return;
    }
    const i = edges.findIndex((edge, n) => edge <= energy && energy < edges[n + 1]);
    const [a, b] = data.counts.map((counts) => counts[i - data.start]);
    if (a === undefined) return;
    said(`${energy.toFixed(2)} eV · interval ${edges[i]} … ${edges[i + 1]} eV · counts ${a} and ${b}: overlap ${Math.min(a, b)}, union ${Math.max(a, b)}`.replaceAll("-", "−"));
  });
  svg.addEventListener("pointerup", (event) => {
    const to = at(event), start = from;
    from = null;
    band.setAttribute("width", 0);
    if (start !== null && Math.abs(place(to) - place(start)) > 6) zoom(Math.min(start, to), Math.max(start, to));
  });
  svg.addEventListener("pointercancel", () => { from = null; band.setAttribute("width", 0); });
  svg.addEventListener("dblclick", reset);
  view.classList.add("scripted");
  draw();
};
for (const figure of document.querySelectorAll(".pair-figure")) {
  const edges = JSON.parse(figure.querySelector("script").textContent), views = [...figure.querySelectorAll(".pair-view")];
  const label = element("label", { class: "choose" }, "pair "), select = element("select");
  views.forEach((view, i) => select.append(element("option", { value: i }, view.querySelector("h4").textContent)));
  const choose = () => views.forEach((view, i) => { view.hidden = String(i) !== select.value; });
  select.addEventListener("change", choose);
  label.append(select);
  if (views.length > 1) views[0].before(label);
  views.forEach((view) => zoomable(view, edges));
  choose();
}
