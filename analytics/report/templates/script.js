// Sorting only: the page is whole without it.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim().replace(/[\s,]/g, "").replace(/−/g, "-").replace(/^[<>]/, "");
    const number = parseFloat(text);
    return Number.isNaN(number) ? row.cells[column].textContent.trim().toLowerCase() : number;
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
        const order = x < y ? -1 : x > y ? 1 : 0;
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows);
    });
  });
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
