import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { encryptedMessageHash, type Envelope } from '../src/protocol/envelope/envelope.js';
import type { ProcessedEnvelope } from '../src/protocol/envelope/postmark.js';
import { rpcRequest } from '../src/protocol/json-rpc/json-rpc.js';
import { Correspondent } from './support/correspondent.js';
import { GatewayProcess } from './support/gateway-process.js';
import { ask } from './support/http-answer.js';
import { TestGateway } from './support/test-gateway.js';

const AT_ONCE = 200;
const ROUNDS = 10;

let world: TestGateway;
let home: string;
let gateway: GatewayProcess;
let alice: Correspondent;
let bob: Correspondent;

beforeAll(async () => {
  world = await TestGateway.create();
  home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-crash-'));
  [alice, bob] = [new Correspondent(world, world.alice), new Correspondent(world, world.bob)];
  gateway = await GatewayProcess.start(world, home);
});
afterAll(async () => {
  await gateway?.kill();
  await world?.stop();
  rmSync(home, { recursive: true, force: true });
});

describe(`a delivery service that is killed while it takes ${AT_ONCE} messages`, () => {
  it.each(Array.from({ length: ROUNDS }, (_, index) => index + 1))(
    'has each that it acknowledged once, no other twice, and all once when all are handed in again (%i)',
    async () => {
      const envelopes = await newEnvelopes();
      const acknowledged = await submitUntilKilled(envelopes, randomInt(1, AT_ONCE));
      gateway = await GatewayProcess.start(world, home);

      const kept = await hashesInMailbox();
      expect(new Set(kept).size).toBe(kept.length);
      expect(kept).toEqual(expect.arrayContaining(acknowledged));

      const answers = await Promise.all(envelopes.map(submit));
      expect(answers).toEqual(envelopes.map(() => true));
      expect((await hashesInMailbox()).sort()).toEqual(envelopes.map(hashOf).sort());
      await emptyMailbox();
    },
  );
});

function newEnvelopes(): Promise<Envelope[]> {
  return Promise.all(
    Array.from({ length: AT_ONCE }, (_, index) => alice.envelope({ to: 'bob.eth', text: `letter ${index}` })),
  );
}

/** All at once; the kill comes with the n-th acknowledgement. @returns hashes of those that were acknowledged */
async function submitUntilKilled(envelopes: readonly Envelope[], acknowledgements: number): Promise<string[]> {
  const acknowledged: string[] = [];
  const killed: Promise<void>[] = [];
  const handIn = async (envelope: Envelope) => {
    if (!(await submit(envelope))) return;
    acknowledged.push(hashOf(envelope));
    if (acknowledged.length === acknowledgements) killed.push(gateway.kill());
  };
  await Promise.allSettled(envelopes.map(handIn));
  expect(killed).toHaveLength(1);
  await killed[0];
  return acknowledged;
}

/** True if it was acknowledged. @throws if the connection breaks */
async function submit(envelope: Envelope): Promise<boolean> {
  const body = rpcRequest('dm3_submitMessage', [JSON.stringify(envelope)]);
  const { status, json } = await ask(`${gateway.url}/ds/rpc`, { body });
  return status === 200 && (json as { result?: unknown }).result === 'OK';
}

const hashOf = ({ message }: Envelope): string => encryptedMessageHash(world.crypto, message);

/** A token of one machine holds on all of them. */
async function hashesInMailbox(): Promise<string[]> {
  const url = `${gateway.url}/ds/delivery/messages/incoming/bob.eth`;
  const { json } = await ask(url, { token: await bob.token() });
  return (json as ProcessedEnvelope[]).map(({ metadata }) => metadata.encryptedMessageHash!);
}

async function emptyMailbox(): Promise<void> {
  const acknowledgements = (await hashesInMailbox()).map((messageHash) => ({ messageHash }));
  const url = `${gateway.url}/ds/delivery/messages/bob.eth/syncAcknowledgements`;
  expect(await ask(url, { token: await bob.token(), body: { acknowledgements } })).toMatchObject({ status: 200 });
  expect(await hashesInMailbox()).toEqual([]);
}
