import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { KILL_POINTS } from '../../ops/kill-points.js';
import { MESSAGE_STATES, TRANSITIONS, type MessageState } from './transitions.js';

const page = readFileSync(new URL('../../../docs/delivery.md', import.meta.url), 'utf8');

/** Cells of the table below a heading, without its head. */
function rowsOf(heading: string): string[][] {
  const [, section = ''] = page.split(`## ${heading}\n`);
  const lines = section.split('\n## ', 1)[0]!.split('\n');
  const table = lines.filter((line) => line.startsWith('|')).slice(2);
  return table.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
const codes = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code);

describe('docs/delivery.md', () => {
  it('has every state', () => {
    expect(rowsOf('States').map(([state]) => codes(state!)[0])).toEqual([...MESSAGE_STATES]);
  });

  it('has every transition as the code has it', () => {
    const written = rowsOf('Transitions').map(([name, from, to, , event]) => ({
      name: codes(name!)[0],
      from: codes(from!),
      to: codes(to!),
      event: codes(event!)[0] ?? null,
    }));
    expect(written).toEqual(Object.entries(TRANSITIONS).map(([name, transition]) => ({ name, ...transition })));
  });

  it('says what a SIGKILL leaves at each kill point', () => {
    expect(
      rowsOf('What a SIGKILL leaves')
        .map(([point]) => codes(point!)[0])
        .sort(),
    ).toEqual([...KILL_POINTS].sort());
  });
});

describe('Transitions', () => {
  it('lead to every state but the first from somewhere, and out of every state that is not final', () => {
    const ways = Object.values(TRANSITIONS);
    const reached = new Set<MessageState>(ways.flatMap(({ to }) => to));
    const left = new Set<MessageState>(ways.flatMap(({ from }) => from));
    expect([...reached].sort()).toEqual([...MESSAGE_STATES].sort());
    expect(MESSAGE_STATES.filter((state) => !left.has(state))).toEqual(['delivered', 'discarded']);
  });
});
