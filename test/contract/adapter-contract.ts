import net from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EnsName, EthAddress, ForeignAddress, RemoteId } from '../../src/common/ids.js';
import {
  followsDelays,
  sendsNotices,
  type Adapter,
  type AdapterContext,
  type ForeignMessage,
  type GatewayPort,
  type OutgoingMessage,
  type OutgoingNotice,
  type Rendering,
} from '../../src/gateway/adapter/adapter.js';
import { DeliveryFailedError } from '../../src/gateway/adapter/errors.js';
import type { NeutralType } from '../../src/gateway/adapter/message.js';
import type { AliasCodec } from '../../src/naming/alias/codec.js';
import { NameNotFoundError } from '../../src/naming/errors.js';
import { StorageUnavailableError } from '../../src/storage/errors.js';
import { eventually } from '../support/eventually.js';

/**
 * What the far side does with what it is sent: takes it, refuses it for good, asks to come back later, breaks the
 * connection, or keeps the sender waiting until its mood changes.
 */
export type Mood = 'take' | 'refuse' | 'busy' | 'lose' | 'stall';

/** What Alice, who is on the foreign network, writes to a dm3 user. */
export interface Letter {
  /** ENS name. */
  readonly to: string;
  readonly text: string;
  /** By which her network knows the message. */
  readonly id: string;
  /** Written by a machine: nobody may be told that it did not arrive. */
  readonly automatic?: boolean;
}

/** An adapter, not started yet, and the far side it talks to. */
export interface AdapterWorld {
  readonly adapter: Adapter;
  /** Resolves when the adapter said "accepted", rejects with what it said instead. */
  write(letter: Letter): Promise<unknown>;
  setMood(mood: Mood): void;
  /** Messages that the far side keeps waiting just now. */
  stalled(): number;
  /** What the far side took, byte for byte. */
  arrived(): readonly Uint8Array[];
  /** TCP ports that are the adapter's while it runs. */
  ports(): readonly number[];
  close(): Promise<void>;
}

export interface AdapterHarness {
  readonly codec: AliasCodec;
  /** Alice, and somebody whom her network reaches elsewhere. */
  readonly alice: ForeignAddress;
  readonly elsewhere: ForeignAddress;
  /** The same configuration and secrets each time. */
  open(): Promise<AdapterWorld>;
}

const BOB = { name: 'bob.eth' as EnsName, address: `0x${'b0'.repeat(20)}` as EthAddress };
const TYPES: readonly NeutralType[] = ['new', 'reply', 'edit', 'reaction', 'delete', 'read-received', 'read-opened'];
const LEVELS = ['rejected', 'dropped', 'fallback', 'partial', 'full'];
const NOON = Date.parse('2026-11-20T12:00:00Z');
const HELLO: Letter = { to: BOB.name, text: 'Hello Bob', id: 'first' };

/** The gateway as an adapter sees it: notes what comes in, and answers as the test wants. */
class RecordingPort implements GatewayPort {
  readonly asked: string[] = [];
  readonly received: ForeignMessage[] = [];
  onLookup = async (): Promise<void> => {};
  onReceive = async (): Promise<'accepted' | 'duplicate'> => 'accepted';

  async lookup(receiver: string) {
    this.asked.push(receiver);
    await this.onLookup();
    return { ...BOB, sizeLimit: null };
  }

  async receive(message: ForeignMessage) {
    this.received.push(message);
    return { status: await this.onReceive(), id: '5b0ddc1f-6a1c-4d0e-8f52-6a6f7d3f4c11' };
  }

  async reportFailure(): Promise<void> {}
}

/** The rules of `src/gateway/adapter/adapter.ts`: whatever passes them, the core can work with. */
export function describeAdapter(name: string, harness: AdapterHarness): void {
  describe(`${name}: the adapter contract`, () => {
    const { codec, alice, elsewhere } = harness;
    let world: AdapterWorld;
    let adapter: Adapter;
    let port: RecordingPort;

    beforeEach(async () => {
      world = await harness.open();
      adapter = world.adapter;
      port = new RecordingPort();
    });
    afterEach(async () => {
      world.setMood('take');
      await adapter.stop();
      await world.close();
    });

    const outgoing = (changes: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
      id: 'a1'.repeat(32),
      from: BOB,
      to: alice,
      message: { type: 'new', text: 'Hello *Alice* 🦊', attachments: [], sentAt: NOON },
      conversation: null,
      target: null,
      ...changes,
    });
    const notice = (conversation: AdapterContext): OutgoingNotice => ({
      id: 'c3'.repeat(32),
      status: 'failed',
      to: alice,
      receiver: BOB.name,
      about: port.received[0]!.remoteId,
      reason: { code: 'EXPIRED', text: 'It was tried for five days.' },
      conversation,
    });
    /** Alice writes, and the adapter hands it to the gateway. */
    const receiveFromAlice = async (letter: Letter = HELLO): Promise<ForeignMessage> => {
      await adapter.start(port);
      await world.write(letter);
      return port.received.at(-1)!;
    };

    describe('addresses', () => {
      it('belong to the network of its codec', () => {
        expect(adapter.network).toMatch(/^[a-z][a-z0-9]*$/);
        expect(adapter.network).toBe(codec.network);
        expect([alice, elsewhere].map((address) => adapter.owns(address))).toEqual([true, true]);
        expect(adapter.owns('other:alice' as ForeignAddress)).toBe(false);
      });

      it('are shown as people write them', () => {
        const shown = adapter.formatAddress(alice);
        expect(shown).not.toContain(codec.scheme);
        expect(codec.canonical(shown)).toBe(alice);
      });

      it('have a destination each, the same every time', () => {
        const destination = adapter.destinationOf(alice);
        expect(destination).not.toBe('');
        expect(adapter.destinationOf(alice)).toBe(destination);
        expect(adapter.destinationOf(elsewhere)).not.toBe(destination);
      });
    });

    it('says how well it carries what', () => {
      const { types, attachments, maxAttachmentBytes, maxTextBytes } = adapter.capabilities();
      expect(Object.keys(types).sort()).toEqual([...TYPES].sort());
      for (const level of [...Object.values(types), attachments]) expect(LEVELS).toContain(level);
      expect([types.new, types.reply]).toEqual(['full', 'full']);
      for (const limit of [maxAttachmentBytes, maxTextBytes]) expect(Number.isSafeInteger(limit)).toBe(true);
      expect(maxTextBytes).toBeGreaterThan(0);
      expect(adapter.capabilities()).toEqual(adapter.capabilities());
    });

    describe('rendering', () => {
      const attachments = [
        { name: 'a.bin', mediaType: 'application/octet-stream', content: { bytes: Uint8Array.of(0, 255, 10, 13) } },
        { name: 'page', mediaType: 'text/html', content: { uri: 'https://example.org/page' } },
      ];
      /** Whatever the core may ask this network to carry as it is. */
      const samples = (): OutgoingMessage[] => {
        const { types } = adapter.capabilities();
        const carried = TYPES.filter((type) => types[type] === 'full' || types[type] === 'partial');
        const plain = carried.map((type) => outgoing({ message: { ...outgoing().message, type } }));
        return [...plain, outgoing({ message: { ...outgoing().message, attachments } })];
      };

      it('gives the same bytes for the same message', async () => {
        const twin = await harness.open();
        for (const sample of samples()) {
          const rendering = plain(await adapter.render(sample));
          expect(plain(await adapter.render(structuredClone(sample)))).toEqual(rendering);
          expect(plain(await twin.adapter.render(sample))).toEqual(rendering);
        }
        await twin.close();
      });

      it('leaves its input alone', async () => {
        for (const sample of samples()) {
          const before = structuredClone(sample);
          await adapter.render(sample);
          expect(sample).toEqual(before);
        }
      });

      it('names each message by ids of its own, each part by one', async () => {
        const one = await adapter.render(outgoing());
        const other = await adapter.render(outgoing({ id: 'b2'.repeat(32) }));
        const ids = [...one.remoteIds, ...other.remoteIds];
        expect(one.remoteIds.length).toBeGreaterThan(0);
        expect(ids.every((id) => id !== '')).toBe(true);
        expect(new Set(ids).size).toBe(ids.length);
      });

      it('keeps in the conversation only what JSON can', async () => {
        const { conversation } = await receiveFromAlice();
        expect(throughJson(conversation)).toEqual(conversation);
        const first = await adapter.render(outgoing({ conversation }));
        expect(throughJson(first.conversation)).toEqual(first.conversation);
        const next = { id: 'b2'.repeat(32), target: first.remoteIds[0] as RemoteId };
        const direct = await adapter.render(outgoing({ ...next, conversation: first.conversation }));
        const stored = await adapter.render(outgoing({ ...next, conversation: throughJson(first.conversation) }));
        expect(plain(stored)).toEqual(plain(direct));
      });
    });

    describe('sending', () => {
      let rendering: Rendering;
      beforeEach(async () => {
        await adapter.start(port);
        rendering = await adapter.render(outgoing());
      });

      const failure = async (): Promise<DeliveryFailedError> => {
        const error = await adapter.send(rendering).then(
          () => null,
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(DeliveryFailedError);
        return error as DeliveryFailedError;
      };
      const telling = { code: expect.stringMatching(/^[A-Z_]+$/), message: expect.stringMatching(/^[A-Z].+\.$|: /s) };

      it('is over only when the far side has taken the message', async () => {
        let over = false;
        world.setMood('stall');
        const sending = adapter.send(rendering).then(() => (over = true));
        await eventually('the far side to hold it', async () => world.stalled() === 1);
        expect(over).toBe(false);
        world.setMood('take');
        await sending;
        expect(world.arrived()).toHaveLength(1);
      });

      it('sends the same bytes again', async () => {
        await adapter.send(rendering);
        await adapter.send(rendering);
        const [first, second] = world.arrived();
        expect(Buffer.from(second!).equals(first!)).toBe(true);
      });

      it('fails for good where the far side refuses', async () => {
        world.setMood('refuse');
        expect(await failure()).toMatchObject({ ...telling, retryable: false, certainty: 'certain' });
        expect(world.arrived()).toEqual([]);
      });

      it.each(['busy', 'lose'] as const)('may be tried again when the far side says: %s', async (mood) => {
        world.setMood(mood);
        expect(await failure()).toMatchObject({ ...telling, retryable: true });
        world.setMood('take');
        await adapter.send(rendering);
        expect(world.arrived()).toHaveLength(1);
      });
    });

    describe('receiving', () => {
      it('brings a message with all the core needs to know', async () => {
        const message = await receiveFromAlice();
        expect([...new Set(port.asked)]).toEqual([BOB.name]);
        expect(codec.canonical(message.from)).toBe(alice);
        expect(message).toMatchObject({ network: adapter.network, to: [BOB], message: { type: 'new' } });
        expect(message.message.text).toContain(HELLO.text);
        expect(message.message.sentAt).toEqual(expect.any(Number));
        expect(['verified', 'unverified', 'forged']).toContain(message.identity.verdict);
        expect(message.identity.detail).not.toBe('');
        expect(message.remoteId).not.toBe('');
        expect(message.inReplyTo).toEqual([]);
      });

      it('knows a repeated message, and only that, by its mark', async () => {
        const { dedup } = await receiveFromAlice();
        await world.write(HELLO);
        await world.write({ ...HELLO, id: 'second' });
        await world.write({ ...HELLO, text: 'Something else' });
        const dedups = port.received.map((message) => message.dedup);
        expect(dedups.filter((mark) => mark === dedup)).toHaveLength(2);
        expect(new Set(dedups).size).toBe(3);
      });

      it('accepts a repeat like the first', async () => {
        port.onReceive = async () => 'duplicate';
        await receiveFromAlice();
      });

      it('accepts nothing that the gateway did not accept', async () => {
        await adapter.start(port);
        port.onReceive = async () => {
          throw new StorageUnavailableError({ cause: null });
        };
        await expect(world.write(HELLO)).rejects.toThrow();
        port.onReceive = async () => 'accepted';
        await world.write(HELLO);
      });

      it('tells the author of a receiver who is not there', async () => {
        await adapter.start(port);
        port.onLookup = async () => {
          throw new NameNotFoundError({ name: BOB.name });
        };
        await expect(world.write(HELLO)).rejects.toThrow(/bob\.eth/);
        expect(port.received).toEqual([]);
      });
    });

    describe('notices', () => {
      const render = (told: OutgoingNotice) => (sendsNotices(adapter) ? adapter.renderNotice(told) : null);

      it('are the same each time, and arrive', async () => {
        const { conversation } = await receiveFromAlice();
        const rendering = (await render(notice(conversation)))!;
        expect(plain((await render(notice(throughJson(conversation))))!)).toEqual(plain(rendering));
        await adapter.send(rendering);
        expect(world.arrived()).toHaveLength(1);
      });

      it('of a delay can be followed by its end where the network says so, and never elsewhere', async () => {
        const told = notice((await receiveFromAlice()).conversation);
        await adapter.send((await render({ ...told, status: 'delayed', until: Date.parse('2027-01-01') }))!);
        const end = await render({ ...told, id: 'e5'.repeat(32), status: 'arrived', replaces: told.id });
        expect(end !== null).toBe(followsDelays(adapter));
        if (end) await adapter.send(end);
        expect(world.arrived()).toHaveLength(end ? 2 : 1);
      });

      it('are not made for machines', async () => {
        const { conversation } = await receiveFromAlice({ ...HELLO, automatic: true });
        expect(sendsNotices(adapter) && (await adapter.renderNotice(notice(conversation)))).toBeNull();
      });
    });

    describe('running', () => {
      it('is up between start and stop, and only then', async () => {
        expect((await adapter.health()).status).not.toBe('up');
        await adapter.start(port);
        expect(await adapter.health()).toEqual({ status: 'up' });
        await adapter.stop();
        const { status, detail } = await adapter.health();
        expect(status).toBe('down');
        expect(detail).not.toMatch(/@|\.eth/);
      });

      it('can be stopped before it started, and twice', async () => {
        await adapter.stop();
        await adapter.start(port);
        await adapter.stop();
        await adapter.stop();
      });

      it('frees its ports, and can start again', async () => {
        await adapter.start(port);
        const ports = world.ports();
        await adapter.stop();
        for (const number of ports) await expect(canListen(number)).resolves.toBe(true);
        await receiveFromAlice();
      });

      it('finishes what is under way before it stops', async () => {
        await adapter.start(port);
        const order: string[] = [];
        let stopping: Promise<unknown> | undefined;
        port.onReceive = async () => {
          stopping = adapter.stop().then(() => order.push('stopped'));
          await new Promise(setImmediate);
          order.push('received');
          return 'accepted';
        };
        await world.write(HELLO);
        await stopping;
        expect(order).toEqual(['received', 'stopped']);
      });
    });
  });
}

/** Comparable whatever kind of bytes it holds. */
function plain({ remoteIds, body, conversation }: Rendering): unknown {
  return { remoteIds, body: Buffer.from(body).toString('base64'), conversation };
}

function throughJson(context: AdapterContext): AdapterContext {
  return JSON.parse(JSON.stringify(context)) as AdapterContext;
}

async function canListen(port: number): Promise<boolean> {
  const server = net.createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
  return true;
}
