'use strict';
// Sorts and filters tables, opens and closes rankings. The page is complete without this.
const order = new Intl.Collator('en', { numeric: true });

function sortBy(table, heading) {
  const column = heading.cellIndex;
  const number = heading.dataset.sort === 'number';
  // Numbers begin with the lowest, which is the worst of most measures; a second time turns it round.
  const direction = heading.ariaSort === 'ascending' ? -1 : 1;
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => {
    const text = row.cells[column].textContent.trim();
    return { row, key: number ? parseFloat(text.replaceAll(',', '')) : text };
  });
  rows.sort((a, b) => {
    if (!number) return direction * order.compare(a.key, b.key);
    if (isNaN(a.key) || isNaN(b.key)) return isNaN(a.key) - isNaN(b.key);  // no value: last, either way
    return direction * (a.key - b.key);
  });
  body.append(...rows.map(({ row }) => row));
  for (const other of heading.parentElement.cells) other.removeAttribute('aria-sort');
  heading.ariaSort = direction > 0 ? 'ascending' : 'descending';
}

for (const heading of document.querySelectorAll('th[data-sort]')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.append(...heading.childNodes);
  button.addEventListener('click', () => sortBy(heading.closest('table'), heading));
  heading.append(button);
}

for (const table of document.querySelectorAll('table.long')) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 20) continue;  // all are seen at once
  const texts = new Map(rows.map((row) =>
    [row, [...row.querySelectorAll('th, .text')].map((cell) => cell.textContent.toLowerCase()).join('\n')]));
  const form = document.createElement('form');
  form.className = 'filter';
  form.setAttribute('role', 'search');
  const label = document.createElement('label');
  label.append('Names with ');
  const input = document.createElement('input');
  input.type = 'search';
  label.append(input);
  const found = document.createElement('output');
  found.append(`${rows.length} rows`);
  form.append(label, found);
  form.addEventListener('submit', (event) => event.preventDefault());
  input.addEventListener('input', () => {
    const wanted = input.value.toLowerCase();
    let count = 0;
    for (const row of rows) {
      row.hidden = !texts.get(row).includes(wanted);
      count += !row.hidden;
    }
    found.textContent = count < rows.length ? `${count} of ${rows.length} rows` : `${rows.length} rows`;
  });
  table.parentElement.before(form);
}

// All rankings of a section at once; and all of them on paper.
for (const section of document.querySelectorAll('section.part')) {
  const all = [...section.querySelectorAll('details.shown')];
  if (all.length < 2) continue;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'all';
  const name = () => { button.textContent = all.every((each) => each.open) ? 'Close all' : 'Open all'; };
  button.addEventListener('click', () => {
    const open = !all.every((each) => each.open);
    for (const each of all) each.open = open;
    name();  // at once: the events come later
  });
  for (const each of all) each.addEventListener('toggle', name);
  name();
  section.querySelector('h2').after(button);
}
