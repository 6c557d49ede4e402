/**
 * Prints one section.
 * @param {{ title: string, columns: Record<string, string>, rows: Record<string, unknown>[] }} section
 *   `columns` maps a row's member to its heading, unit included.
 */
export function printSection({ title, columns, rows }) {
  const cells = [Object.values(columns), ...rows.map((row) => Object.keys(columns).map((key) => cell(row[key])))];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const lines = cells.map((line) => line.map((text, column) => text.padStart(widths[column])).join('  '));
  process.stdout.write(`\n${title}\n${lines.join('\n')}\n`);
}

function cell(value) {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'number') return String(value);
  return Number.isInteger(value) || value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
