import { beforeAll, expect, it } from '@jest/globals';
import { ghostId } from '../src/adapters/matrix/ghost-id.js';
import type { EnsName } from '../src/common/ids.js';
import { Correspondent } from './support/correspondent.js';
import { describeWithPeer } from './support/describe-with-peer.js';
import { eventually } from './support/eventually.js';
import type { MatrixUser } from './support/matrix-user.js';
import { aliasOf, BOB, matrixWorld } from './support/matrix-world.js';
import { HOMESERVER } from './support/synapse.js';

/** Valid names that a Matrix id cannot hold as they are, and what their ghosts are called. */
const NAMES: readonly [name: string, ghost: RegExp][] = [
  ['🦊.eth', /^@dm3_=f0=9f=a6=8a\.eth:/],
  ['👩‍🚀.eth', /^@dm3_=f0=9f=91=a9=e2=80=8d=f0=9f=9a=80\.eth:/],
  ['ñandú.eth', /^@dm3_=c3=b1and=c3=ba\.eth:/],
  ['שלום.eth', /^@dm3_(=d7=[0-9a-f]{2}){4}\.eth:/],
  ['__dm3.eth', /^@dm3___dm3\.eth:/],
  ['$$money.eth', /^@dm3_=24=24money\.eth:/],
  [`${'é'.repeat(60)}.eth`, /^@dm3_=h[0-9a-f]{64}:/],
];

/** What people send who mean harm. In each the word SOUND is to arrive. */
const HTML = [
  'SOUND<script>alert(1)</script>',
  'SOUND<img src="https://evil.test/pixel.png" onerror="alert(1)">',
  '<a href="javascript:alert(1)">SOUND</a>',
  '<a href="data:text/html;base64,PHNjcmlwdD4=" onclick="alert(1)">SOUND</a>',
  '<svg/onload=alert(1)><text>SOUND</text></svg>',
  '<iframe src="https://evil.test"></iframe>SOUND',
  'SOUND<style>*{background:url(https://evil.test)}</style>',
  '<form action="https://evil.test"><input name="x"><button>SOUND</button></form>',
  '<b onmouseover="alert(1)" style="position:fixed">SOUND</b>',
  '<!--<img src="--><img src=x onerror=alert(1)>SOUND',
];
const MARKDOWN = [
  'SOUND <script>alert(1)</script>',
  '[SOUND](javascript:alert(1))',
  '![SOUND](https://evil.test/pixel.png)',
  '**SOUND** <img src=x onerror=alert(1)>',
  '[SOUND](data:text/html;base64,PHNjcmlwdD4=)',
  '<b onclick="alert(1)">SOUND</b>',
  '```\nSOUND</code></pre><script>alert(1)</script>\n```',
  '[SOUND](https://example.org "\\"><script>alert(1)</script>")',
];
/** Tags and attributes: what stands in a text with its brackets escaped does nothing. */
const HARMFUL = /<(?:script|img|svg|iframe|style|form|input|object)\b|<[^>]*\son\w+=|href="(?!https:|http:|mailto:)/i;

describeWithPeer('synapse', 'What strangers think up', () => {
  const world = matrixWorld();
  let alice: MatrixUser;
  beforeAll(async () => void (alice = await world.somebody()));

  it.each(NAMES)('%s has a ghost of its own, and is written to by it and writes as it', async (name, shape) => {
    const ghost = ghostId(name as EnsName, HOMESERVER);
    expect(ghost).toMatch(shape);
    const person = new Correspondent(world.gateway, await world.gateway.addPerson(name, { signUp: true }));
    await person.send({ to: aliasOf(alice), text: 'Are you there?' });
    const room = await alice.acceptInvitation(ghost);
    const { sender } = await alice.hear(room, 'Are you there?');
    expect(sender).toBe(ghost);
    const { displayname } = (await alice.call('GET', `profile/${encodeURIComponent(ghost)}`)) as {
      displayname: string;
    };
    expect(displayname).toBe(name);
    await alice.say(room, 'I am');
    const answer = await eventually('the answer', async () =>
      (await person.inbox()).find(({ message }) => message.message === 'I am'),
    );
    expect(answer).toMatchObject({ genuine: true, message: { metadata: { from: aliasOf(alice), to: name } } });
  });

  it('HTML arrives as its text, and brings nothing along', async () => {
    const room = await alice.chatWith(BOB);
    for (const [index, html] of HTML.entries()) {
      const formatted_body = `${html} ${index}`;
      await alice.say(room, { msgtype: 'm.text', body: 'x', format: 'org.matrix.custom.html', formatted_body });
    }
    const last = `${HTML.length - 1}`;
    await eventually('the last', async () => (await texts()).some((text) => text.endsWith(last)));
    const received = await texts();
    expect(received).toHaveLength(HTML.length);
    for (const text of received) {
      expect(text).toContain('SOUND');
      expect(text).not.toMatch(/alert|evil\.test|javascript:|data:/);
    }
  });

  it('markdown arrives as HTML that does nothing', async () => {
    const dora = await world.somebody();
    for (const text of MARKDOWN) await world.bob.send({ to: aliasOf(dora), text });
    await world.bob.send({ to: aliasOf(dora), text: 'the end' });
    const room = await dora.acceptInvitation(BOB);
    await dora.hear(room, 'the end');
    const said = (await dora.messages(room, BOB)).filter(({ content }) => content.body !== 'the end');
    expect(said).toHaveLength(MARKDOWN.length);
    for (const { content } of said) {
      expect(content.body).toContain('SOUND');
      expect(String(content['formatted_body'] ?? '')).not.toMatch(HARMFUL);
    }
  });

  const texts = async () =>
    (await world.bob.incoming())
      .filter(({ message: { metadata } }) => metadata.from === aliasOf(alice))
      .map(({ message: { message: text } }) => text ?? '');
});
