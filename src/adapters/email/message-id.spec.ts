import { describe, expect, it } from '@jest/globals';
import { extendReferences, findMessageIds, ownMessageId } from './message-id.js';

describe('message ids', () => {
  it('are found whatever stands between them', () => {
    expect(findMessageIds('Your mail of Monday <a@b>,<c@d>\t(x) <e f@g> <>')).toEqual(['<a@b>', '<c@d>']);
    expect(findMessageIds(`<${'a'.repeat(241)}>`)).toEqual([]);
  });

  it('of our own mails come from the message', () => {
    expect(ownMessageId('ff00', 'mail.test')).toBe('<dm3.ff00@mail.test>');
  });
});

describe('extendReferences', () => {
  const ids = Array.from({ length: 30 }, (_, index) => `<${index}@x>`);

  it('keeps the first and the last nineteen', () => {
    const chain = ids.reduce<string[]>((chain, id) => extendReferences(chain, id), []);
    expect(chain).toEqual([ids[0], ...ids.slice(11)]);
  });

  it('names no id twice and nothing that is none', () => {
    expect(extendReferences(['<a@x>', '<b@x>'], '<a@x>', '<c@x> <d@x>', 'X-Evil: 1')).toEqual(['<b@x>', '<a@x>']);
  });
});
