import { beforeEach, expect, it } from '@jest/globals';
import { describeWithPeer } from './support/describe-with-peer.js';
import { eventually } from './support/eventually.js';
import type { MatrixUser, RoomEvent } from './support/matrix-user.js';
import { aliasOf, BOB, matrixWorld } from './support/matrix-world.js';

const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(400, 3)]);
const data = `data:image/png;base64,${PNG.toString('base64')}`;

describeWithPeer('synapse', 'A long text from dm3 on Matrix', () => {
  const world = matrixWorld();
  let alice: MatrixUser;
  let room: string;
  beforeEach(async () => {
    alice = await world.somebody();
    room = await alice.chatWith(BOB);
  });

  const write = async (text: string, more: object = {}): Promise<string> =>
    (await world.bob.send({ to: aliasOf(alice), text, ...more })).hash;
  const pages = (word: string, count: number) =>
    Array.from({ length: count }, (_, page) => `${word} ${page} ${'äöü '.repeat(1_500)}`.trim()).join('\n\n');
  /** What alice's client shows of bob: the latest words of each event that is left. */
  const shown = async (): Promise<string[]> => {
    const said = (await alice.messages(room, BOB)).filter(({ content }) => content.body !== undefined);
    const isEditOf = (edit: RoomEvent, of: string) => relationOf(edit)['event_id'] === of;
    const edits = said.filter((event) => relationOf(event)['rel_type'] === 'm.replace');
    return said
      .filter((event) => !edits.includes(event))
      .map(
        (event) => edits.findLast((edit) => isEditOf(edit, event.event_id))?.content['m.new_content'] ?? event.content,
      )
      .map((content) => (content as { body: string }).body);
  };
  const untilShown = (text: string) =>
    eventually(`"${text.slice(0, 20)}" as a whole`, async () => (await shown()).join('\n\n') === text);

  it('that is changed has nothing left of what it was, once it is shorter, longer, and short again', async () => {
    const first = await write(pages('old', 3));
    await untilShown(pages('old', 3));
    const shorter = await write(pages('shorter', 2), { type: 'EDIT', about: first });
    await untilShown(pages('shorter', 2));
    const longer = await write(pages('longer', 4), { type: 'EDIT', about: shorter });
    await untilShown(pages('longer', 4));
    const last = await write('That is all.', { type: 'EDIT', about: longer });
    await untilShown('That is all.');
    await write('', { type: 'DELETE_REQUEST', about: last });
    await eventually('all to be gone', async () => (await shown()).length === 0);
  }, 120_000);

  it.each([
    ['a list', '- an item of it\n'],
    ['a table', '| one | two | three |\n'],
    ['signs that HTML has other words for', '&&&&&&&& *&* &&&&\n'],
    ['short lines', '*a*\nb\n'],
  ])('that is %s is said, and changed, as a whole', async (_, line) => {
    const head = line.startsWith('|') ? `${line}|---|---|---|\n` : '';
    const text = (words: string, count: number) => `${words}\n\n${head}${line.repeat(count)}The end of it`;
    const squeezed = (words: string) => words.replace(/\s/g, '');
    const until = (words: string) =>
      eventually('the whole text', async () => squeezed((await shown()).join('')) === squeezed(words));
    const count = Math.ceil(30_000 / line.length);
    const first = await write(text('before', count));
    await until(text('before', count));
    await write(text('after', count), { type: 'EDIT', about: first });
    await until(text('after', count));
    expect((await alice.messages(room, BOB)).some(({ content }) => 'formatted_body' in content)).toBe(true);
  });

  it('keeps its picture when its words are changed, whether the edit has it, too, or not', async () => {
    const attachments = [{ name: 'cat.png', data }];
    const first = await write(pages('old', 2), { attachments });
    await eventually('the picture', async () => (await shown()).at(-1) === 'cat.png');
    const edit = await write('my cat', { type: 'EDIT', about: first });
    await eventually('the words', async () => (await shown()).join() === 'my cat,cat.png');
    await write('our cat', { type: 'EDIT', about: edit, attachments });
    await eventually('the words', async () => (await shown()).join() === 'our cat,cat.png');
    const pictures = (await alice.messages(room, BOB)).filter(({ content }) => content.msgtype === 'm.image');
    expect(pictures).toHaveLength(1);
  }, 120_000);
});

function relationOf({ content }: RoomEvent): Readonly<Record<string, unknown>> {
  return (content['m.relates_to'] ?? {}) as Readonly<Record<string, unknown>>;
}
