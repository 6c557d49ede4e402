import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { freePort } from '../../src/sandbox/ports.js';
import { describeWithPeer } from '../support/describe-with-peer.js';
import { eventually } from '../support/eventually.js';
import { FaultLink } from '../support/fault-link.js';
import { SYNAPSE_PATIENCE_MS } from '../support/synapse.js';
import { chance } from './support/chance.js';
import { isTriedAgain } from './support/leftovers.js';
import { MatrixCourt } from './support/matrix-court.js';
import { reported, SCENARIO_MS } from './support/progress.js';
import type { ServiceProcess } from './support/service-process.js';

const WAYS = ['to the homeserver', 'from the homeserver'] as const;
type Way = (typeof WAYS)[number];
const FAULTS = ['refuse', 'stall', 'cut', 'slow', '5xx', 'answer lost'] as const;
type Fault = (typeof FAULTS)[number];
const CASES = WAYS.flatMap((way) => FAULTS.map((fault): [Way, Fault] => [way, fault]));

const TEXTS = 5;
const SLOW_MS = 40;
const SOME_PIECES = 3;
/** Generous: what leaks shows in megabytes a fault. */
const HEAP_MARGIN_BYTES = 40_000_000;
/** As a proxy before either of them answers when it finds nobody. */
const BAD_GATEWAY = [
  'HTTP/1.1 502 Bad Gateway',
  'Content-Type: text/html',
  'Content-Length: 24',
  'Connection: close',
  '',
  '<h1>502 Bad Gateway</h1>',
].join('\r\n');
/** Requests whose answer gets lost: of a ghost that says something, of a homeserver that brings something. */
const ASKED = { 'to the homeserver': '/send/m.room.message/', 'from the homeserver': '/transactions/' };

describeWithPeer('synapse', 'a link between gateway and homeserver that fails', () => {
  const { seed, between } = chance('matrix links');
  let court: MatrixCourt;
  let back: FaultLink;
  let gateway: ServiceProcess;
  let heapAtStart: number;
  beforeAll(async () => {
    const port = await freePort();
    back = await FaultLink.open({ port });
    court = await MatrixCourt.open(back.port);
    gateway = await court.launch({ port });
    await court.talk('in-peace', () => gateway.url);
    heapAtStart = (await gateway.memory()).heapUsed;
  }, SYNAPSE_PATIENCE_MS);
  afterAll(async () => {
    await court?.close();
    await back?.close();
  });

  it.each(CASES)(
    'on the way %s, %s: all arrives when it is mended, once and in order',
    async (way, fault) => {
      await reported(`matrix, ${way}, ${fault}`, seed, async () => {
        const link = way === 'to the homeserver' ? court.synapse.link : back;
        const talk = await court.talk(`${fault}-${way}`.replace(/\W/g, '-'), () => gateway.url);
        const isFelt = sensor(way, fault, link);
        const disturbed = disturb(link, fault, ASKED[way]);
        const exchanged = talk.exchange(TEXTS);
        await disturbed;
        await eventually('the fault to be felt', isFelt, { patienceMs: SCENARIO_MS / 3 });
        await link.mend();
        await exchanged;
        await talk.untilHeard();
        expect(await court.leftovers()).toEqual([]);
        expect(await talk.heard()).toEqual(talk.said);
        expect(await talk.invitations()).toBe(0);
        return { letters: talk.letters };
      });
    },
    SCENARIO_MS,
  );

  async function disturb(link: FaultLink, fault: Fault, asked: string): Promise<void> {
    if (fault === 'refuse') return link.refuse();
    if (fault === 'stall') return link.stall();
    if (fault === 'cut') return link.cutAfter(between(1, 1_500));
    if (fault === 'slow') return link.slow(SLOW_MS);
    if (fault === '5xx') return link.answerWith(BAD_GATEWAY);
    await link.loseAnswerTo(asked);
    await link.refuse(); // else whoever waits for it waits for a minute
  }

  /** Tells whether somebody has met the fault since it was made. */
  function sensor(way: Way, fault: Fault, link: FaultLink): () => Promise<boolean> {
    const [pieces, failed] = [link.disturbed, court.synapse.failedPushes];
    if (fault === 'slow') return async () => link.disturbed > pieces + SOME_PIECES;
    if (way === 'to the homeserver') {
      if (fault === 'cut') return async () => link.disturbed > pieces; // a dead connection is made up for at once
      return () => isTriedAgain(court.world.db);
    }
    if (fault === 'stall') return async () => link.disturbed > pieces; // Synapse waits for a minute
    return async () => court.synapse.failedPushes > failed;
  }

  it('the process is the same as before, and so is its memory', async () => {
    expect(gateway.isAlive).toBe(true);
    expect((await gateway.memory()).heapUsed).toBeLessThan(heapAtStart + HEAP_MARGIN_BYTES);
  });
});
