import { describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { GatewayError } from '../../common/errors.js';
import type { EnsName, EthAddress, ForeignAddress, NetworkId, RemoteId } from '../../common/ids.js';
import { createNobleProvider } from '../../protocol/crypto/noble.js';
import { Sealer } from '../../storage/sealer.js';
import type { OutgoingMessage, OutgoingNotice, Rendering } from '../adapter/adapter.js';
import { DeliveryFailedError } from '../adapter/errors.js';
import { PacketSealer } from './sealed-packet.js';
import { answerFromJson, answerToJson, errorToJson, requestFromJson, requestToJson, type RemoteCall } from './wire.js';

const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const until = '2026-11-20 12:00:00+00';
const to = 'fake:olga' as ForeignAddress;
const body = Buffer.from([0, 255, 10, 13]);
const rendering: Rendering = { remoteIds: ['a' as RemoteId], body, conversation: { thread: 'x', deep: [1, null] } };
const message: OutgoingMessage = {
  id: 'a1'.repeat(32),
  from: { name: 'bob.eth' as EnsName, address: `0x${'b0'.repeat(20)}` as EthAddress },
  to,
  message: {
    type: 'new',
    text: 'Hello 🦊',
    attachments: [
      { name: 'a', mediaType: 'text/plain', content: { bytes: body } },
      { name: 'b', mediaType: 'text/html', content: { uri: 'https://example.org' } },
    ],
    sentAt: 1,
  },
  conversation: null,
  target: 'z' as RemoteId,
};
const notice: OutgoingNotice = {
  id: 'c3'.repeat(32),
  status: 'delayed',
  until: 2,
  to,
  receiver: 'bob.eth',
  about: 'y' as RemoteId,
  reason: { code: 'EXPIRED', text: 'It was tried.' },
  conversation: { thread: 'x' },
};

describe('a request', () => {
  const calls: RemoteCall[] = [
    { call: 'render', message },
    { call: 'render-notice', notice },
    { call: 'send', rendering },
    { call: 'challenge', challenge: { id: 'd4'.repeat(32), to, subject: 'Code', text: '123\n' } },
  ];

  it.each(calls)('arrives as it left: $call', (call) => {
    expect(requestFromJson(throughJson(requestToJson({ until, call })))).toEqual({ until, call });
  });

  it('of another version is not guessed at', () => {
    expect(() => requestFromJson({ version: 2, until, call: {} })).toThrow(/version 2 is not known here/);
  });
});

describe('an answer', () => {
  it.each([[rendering], [null], [undefined]])('arrives as it left: %j', (answer) => {
    expect(answerFromJson(throughJson(answerToJson(answer)))).toEqual(answer);
  });

  const errorOf = (error: unknown): unknown => {
    try {
      return answerFromJson(throughJson(errorToJson(error)));
    } catch (arrived) {
      return arrived;
    }
  };

  it('that is an error says all that decides about what follows', () => {
    const lost = {
      code: 'LOST',
      reason: 'It broke off.',
      retryable: true,
      certainty: 'uncertain',
      outage: true,
    } as const;
    expect(errorOf(new DeliveryFailedError(lost))).toBeInstanceOf(DeliveryFailedError);
    expect(errorOf(new DeliveryFailedError(lost))).toMatchObject({
      code: 'LOST',
      message: 'It broke off.',
      retryable: true,
      certainty: 'uncertain',
      outage: true,
    });
    const refused = new GatewayError({ code: 'NO', kind: 'forbidden', message: 'No.', facts: { limit: 1 } });
    expect(errorOf(refused)).toMatchObject({ code: 'NO', kind: 'forbidden', retryable: false, facts: { limit: 1 } });
  });

  it('keeps what nobody expected to the process that threw it', () => {
    const fault = errorOf(new TypeError('secret of bob.eth')) as Error;
    expect(fault).toMatchObject({ code: 'REMOTE_FAULT', retryable: true });
    expect(fault.message).not.toContain('bob.eth');
  });
});

describe('a sealed packet', () => {
  const secrets = { rootSecret: randomBytes(32), storageKeys: [{ id: 1, key: randomBytes(32) }] as const };
  const sealer = new Sealer(createNobleProvider(), randomBytes, secrets);
  const [one, other] = ['one', 'other'].map((network) => new PacketSealer(sealer, network as NetworkId)) as [
    PacketSealer,
    PacketSealer,
  ];
  const id = randomUUID();
  const packet = one.seal('request', id, { text: 'secret' });

  it('shows its id alone', () => {
    expect(Object.keys(packet)).toEqual(['id', 'sealed']);
    expect(Buffer.from(packet.sealed, 'base64').toString('latin1')).not.toContain('secret');
    expect(one.open('request', packet)).toEqual({ id, json: { text: 'secret' } });
  });

  it('opens nowhere else', () => {
    const broken = { code: 'SEAL_BROKEN' };
    expect(() => one.open('answer', packet)).toThrow(expect.objectContaining(broken));
    expect(() => other.open('request', packet)).toThrow(expect.objectContaining(broken));
    expect(() => one.open('request', { ...packet, id: randomUUID() })).toThrow(expect.objectContaining(broken));
  });

  it.each([null, 'text', {}, { id }, { ...packet, more: 1 }, { id: 'x', sealed: packet.sealed }, { id, sealed: '%' }])(
    'is told from %j',
    (value) => {
      expect(() => one.open('request', value)).toThrow(expect.objectContaining({ code: 'REQUEST_UNUSABLE' }));
    },
  );
});
