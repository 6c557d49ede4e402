import { describe, expect, it } from '@jest/globals';
import type { Capabilities } from '../adapter/adapter.js';
import type { NeutralAttachment, NeutralMessage } from '../adapter/message.js';
import type { Shelf } from '../attachments/shrink.js';
import { linkBeyond } from './link-beyond.js';

const shelf: Shelf = {
  maxBytes: 100,
  maxBytesPerMessage: 150,
  link: (file) => ({ ...file, link: { id: '', key: new Uint8Array(), expiresAt: new Date() } }),
  line: ({ name }) => `${name} is elsewhere`,
};
const can = (attachments: Capabilities['attachments']) => ({ attachments, maxAttachmentBytes: 50 }) as Capabilities;
const file = (name: string, size: number): NeutralAttachment => ({
  name,
  mediaType: 'a/b',
  content: { bytes: new Uint8Array(size) },
});
const message = (...attachments: NeutralAttachment[]): NeutralMessage => ({
  type: 'new',
  text: 'Hi',
  attachments,
  sentAt: 0,
});

describe('linkBeyond', () => {
  it('links the largest where the network takes less', () => {
    const { message: fitted, files } = linkBeyond(
      message(file('a', 40), file('b', 60), file('c', 10)),
      can('full'),
      shelf,
    );
    expect(files.map(({ name }) => name)).toEqual(['b']);
    expect(fitted).toEqual({ ...message(file('a', 40), file('c', 10)), text: 'Hi\n\nb is elsewhere' });
  });

  it.each([
    ['all of it fits', message(file('a', 50)), can('full'), shelf],
    ['there is no shelf', message(file('a', 60)), can('full'), null],
    ['the network takes no attachments', message(file('a', 60)), can('rejected'), shelf],
    ['they are said in words', message(file('a', 60)), can('fallback'), shelf],
  ])('leaves a message alone where %s', (_, whole, capabilities, place) => {
    expect(linkBeyond(whole, capabilities, place)).toEqual({ message: whole, files: [] });
  });

  it('names the file that the shelf does not take', () => {
    expect(() => linkBeyond(message(file('film', 101)), can('full'), shelf)).toThrow('film has 101 bytes');
  });
});
