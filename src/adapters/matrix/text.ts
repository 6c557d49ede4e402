/** Controls, and the marks that turn writing direction: `exe.txt` must not pass for `txt.exe`. */
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** One line that may stand beside a name; cut to `maxLength` characters. */
export function cleanLine(text: string, maxLength: number): string {
  const line = text.replace(UNSAFE, ' ').replace(/\s+/g, ' ').trim();
  const characters = Array.from(line);
  return characters.length <= maxLength ? line : `${characters.slice(0, maxLength - 1).join('')}…`;
}

/** Text with `\n` as its only line end and without controls other than tabs. */
export function cleanText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/[^\P{Cc}\n\t]/gu, '');
}

/** A file name without folders and controls; `fallback` where nothing is left. */
export function cleanFileName(name: string | undefined, fallback: string): string {
  const clean = cleanLine((name ?? '').replace(/[/\\]/g, '_'), 200);
  return /^\.*$/.test(clean) ? fallback : clean;
}

/** `12.3 MB`: what a person compares with a limit. */
export function readableSize(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** Lines that go into one event however many there are. */
export function shortList(lines: readonly string[]): string {
  const shown = lines.slice(0, MAX_LINES).map((line) => cleanLine(line, 400));
  const more = lines.length > MAX_LINES ? [`- and ${lines.length - MAX_LINES} more`] : [];
  return [...shown, ...more].join('\n');
}

const MAX_LINES = 50;
