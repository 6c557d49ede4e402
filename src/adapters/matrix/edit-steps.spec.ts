import { describe, expect, it } from '@jest/globals';
import { editSteps } from './edit-steps.js';
import type { Standing, StandingEvent } from './event.store.js';
import { fileDigest } from './part-id.js';
import type { Part } from './rendering.js';

const text = (body: string): Part => ({ kind: 'text', body, html: null });
const file = (name: string): Part => ({ kind: 'file', name, mediaType: 'image/png', base64: 'AQI=' });
const cat = file('cat.png');
const dog = file('dog.png');
/** A message of these parts as it was said; `undefined` is one of which nobody noted what it is. */
const standing = (...parts: (Part | undefined)[]): Standing => ({
  message: 'said',
  events: parts.map((part, place): StandingEvent => {
    const digest = part === undefined ? undefined : fileDigest(part);
    return { eventId: `$${place}`, part: { message: 'said', index: place }, place, file: digest };
  }),
});
const steps = (parts: readonly Part[], before: Standing) =>
  editSteps({ message: 'edit', parts }, before).map((step) => {
    if (step.kind === 'redact') return `redact ${step.eventId}`;
    return step.kind === 'say' ? `say ${step.index} as ${step.under?.index}` : `replace ${step.eventId} ${step.index}`;
  });

describe('An edit', () => {
  it.each([
    [
      'takes the places of all parts',
      [text('1'), text('2')],
      standing(text('a'), text('b')),
      ['replace $0 0', 'replace $1 1'],
    ],
    [
      'that is shorter takes out the rest',
      [text('1')],
      standing(text('a'), text('b'), text('c')),
      ['replace $0 0', 'redact $1', 'redact $2'],
    ],
    ['that is longer says the rest', [text('1'), text('2')], standing(text('a')), ['replace $0 0', 'say 1 as 1']],
    ['of what is not known is said', [text('1'), text('2')], standing(), ['say 0 as undefined', 'say 1 as undefined']],
    [
      'of the words leaves the files alone',
      [text('1'), text('2')],
      standing(text('a'), cat),
      ['replace $0 0', 'say 1 as 2'],
    ],
    ['that has the same files repeats none', [text('1'), dog, cat], standing(text('a'), cat, dog), ['replace $0 0']],
    [
      'that has other files names all there are',
      [text('1'), dog],
      standing(text('a'), cat),
      ['replace $0 0', 'say 1 as 2', 'redact $1'],
    ],
    [
      'keeps of two files that are the same as many as it has',
      [text('1'), cat],
      standing(text('a'), cat, cat),
      ['replace $0 0', 'redact $2'],
    ],
    ['that has files alone takes out the words', [cat], standing(text('a'), cat), ['redact $0']],
    ['that brings words to a file says them', [text('1')], standing(cat), ['say 0 as 1']],
    [
      'touches nothing of which nobody knows what it is, but the first',
      [text('1'), text('2')],
      standing(undefined, undefined),
      ['replace $0 0', 'say 1 as 2'],
    ],
  ])('%s', (_, parts, before, expected) => {
    expect(steps(parts, before)).toEqual(expected);
  });

  it('that broke off says nothing again', () => {
    const { events } = standing(text('a'));
    const own: StandingEvent[] = [
      { eventId: '$e1', part: { message: 'edit', index: 1 }, place: 1, file: null },
      { eventId: '$e3', part: { message: 'edit', index: 3 }, place: 2, file: fileDigest(cat) },
    ];
    const before = { message: 'said', events: [...events, ...own] };
    expect(steps([text('1'), text('2'), text('3'), cat], before)).toEqual(['replace $0 0', 'say 2 as 3']);
  });
});
