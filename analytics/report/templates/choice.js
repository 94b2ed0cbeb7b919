// Views of one figure, of which one is shown: a list to choose from.
for (const figure of document.querySelectorAll(".choice-figure")) {
  const views = [...figure.querySelectorAll(".choice-view")];
  if (views.length < 2) continue;
  const label = element("label", { class: "choose" }, "model and database "), select = element("select");
  views.forEach((view, i) => select.append(element("option", { value: i }, view.dataset.words)));
  const choose = () => views.forEach((view, i) => { view.hidden = String(i) !== select.value; });
  select.addEventListener("change", choose);
  label.append(select);
  views[0].before(label);
  choose();
}
