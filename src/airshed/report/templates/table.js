// Tables marked data-sortable get a button in each header cell and a field that filters rows.
// Cells carry what they are sorted by as data-value; an empty one is missing and stays last.
"use strict";

function sortKey(row, column) {
  const value = row.cells[column].dataset.value;
  const number = Number(value);
  return value === "" || Number.isNaN(number) ? value : number;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

function sortRows(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, key: sortKey(row, column) }));
  rows.sort((a, b) => {
    if ((a.key === "") !== (b.key === "")) return a.key === "" ? 1 : -1;
    return descending ? compare(b.key, a.key) : compare(a.key, b.key);
  });
  body.append(...rows.map((entry) => entry.row));
}

function addButtons(table) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.ariaSort = "none";
    button.addEventListener("click", () => {
      const descending = header.ariaSort === "ascending";
      headers.forEach((other) => { other.ariaSort = "none"; });
      header.ariaSort = descending ? "descending" : "ascending";
      sortRows(table, column, descending);
    });
  });
}

function addFilter(table, number) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const count = document.createElement("output");
  input.type = "search";
  input.id = `filter-${number}`;
  label.htmlFor = count.htmlFor = input.id;
  label.textContent = "Show rows with";
  const rows = [...table.tBodies[0].rows];
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = `${shown} of ${rows.length} rows`;
  };
  input.addEventListener("input", filter);
  filter();
  const line = document.createElement("p");
  line.className = "filter";
  line.append(label, " ", input, " ", count);
  table.parentElement.before(line);
}

document.querySelectorAll("table[data-sortable]").forEach((table, number) => {
  addButtons(table);
  addFilter(table, number);
});
