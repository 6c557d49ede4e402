import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { GatewayError } from '../common/errors.js';
import { nameCommand } from './name.command.js';

const file = new URL('../../test/fixtures/hostile-names.json', import.meta.url);
const corpus = JSON.parse(readFileSync(file, 'utf8')) as { text: string; name?: string; refusal?: string }[];

let said: string[];
let noted: string[];
beforeEach(() => {
  [said, noted] = [[], []];
  jest.spyOn(console, 'log').mockImplementation((text: string) => void said.push(text));
  jest.spyOn(console, 'error').mockImplementation((text: string) => void noted.push(text));
});
afterEach(() => void jest.restoreAllMocks());

const run = (text: string) => nameCommand({}).parseAsync(['--root', 'gateway.eth', '--', text], { from: 'user' });

describe('dm3-gateway name', () => {
  it.each([
    ['carol@example.org', 'carol._at.example.org.email.gateway.eth\ncarol._at.example.org.email'],
    ['carol._at.example.org.email', 'carol@example.org'],
    ['@carol:hs.org', 'carol._at.hs.org.matrix.gateway.eth\ncarol._at.hs.org.matrix'],
    ['_room.dev._at.hs.org.matrix', '#dev:hs.org'],
    [`0x${'AB'.repeat(20)}.xmtp`, `0x${'ab'.repeat(20)}`],
    ['max.gno', 'max.gnosis.eth'],
  ])('translates %s', async (text, answer) => {
    await run(text);
    expect(said).toEqual([answer]);
  });

  it.each([
    ['carol@example.org', []],
    ['max.gno', []],
    ['@carol:hs.org', []],
    [`0x${'ab'.repeat(20)}`, ['Nobody is reached by it yet: this gateway has no adapter for xmtp.']],
  ])('says of %s whether the name leads anywhere', async (text, notes) => {
    await run(text);
    expect(noted).toEqual(notes);
  });

  it('has an answer or a named refusal for everything hostile', async () => {
    for (const { text, refusal } of corpus) {
      said = [];
      const error = await run(text).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (refusal === undefined) expect({ text, error, lines: said.length }).toEqual({ text, error: null, lines: 1 });
      else expect({ text, code: (error as GatewayError).code, said }).toEqual({ text, code: refusal, said: [] });
    }
  });
});
