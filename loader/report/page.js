"use strict";
// Search and sorting of tables; without it the page is whole, only longer to read.
(() => {
  const figure = (text) => {
    if (text === "\u2013" || text === "") return null;
    const found = text.replace(/,/g, "").replace("$", "").match(/^(<\s*)?([-+]?\d+(\.\d+)?)/);
    return found ? Number(found[2]) : null;
  };
  const order = (table, place, down) => {
    const body = table.tBodies[0];
    const numeric = table.tHead.rows[0].cells[place].classList.contains("n");
    const keyed = [...body.rows].map((row) => {
      const text = row.cells[place].textContent.trim();
      return [numeric ? figure(text) : text.toLowerCase(), row];
    });
    keyed.sort(([one], [other]) => {
      if (one === null || other === null) return (one === null) - (other === null);
      const way = numeric ? one - other : one.localeCompare(other);
      return down ? -way : way;
    });
    body.append(...keyed.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        order(table, place, down);
      });
    });
  }
  for (const table of document.querySelectorAll("table.searchable")) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("output");
    const rows = [...table.tBodies[0].rows];
    label.className = "search";
    input.type = "search";
    label.append("Search these rows ", input, " ", count);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        if (!row.hidden) shown += 1;
      }
      count.textContent = wanted ? `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")}` : "";
    });
    table.closest(".scroll").before(label);
  }
})();
