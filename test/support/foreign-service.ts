import { randomBytes } from 'node:crypto';
import type { EnsName } from '../../src/common/ids.js';
import { deliveryServiceRecord } from '../../src/delivery/service-records.js';
import { registerName, setText } from '../../src/naming/contracts/deploy.js';
import { profileKeysFromSeed } from '../../src/protocol/crypto/keys.js';
import type { Envelope } from '../../src/protocol/envelope/envelope.js';
import { DELIVERY_SERVICE_RECORD } from '../../src/protocol/profile/record.js';
import { sendJson, startHttpServer } from './http-server.js';
import type { TestGateway } from './test-gateway.js';

/** Somebody else's delivery service, in the reference's manner: `OK` as text, bare errors. */
export interface ForeignService {
  readonly name: EnsName;
  readonly envelopes: readonly Envelope[];
  mood: 'takes' | 'refuses' | 'fails';
  stop(): Promise<void>;
}

/** @param options.sizeLimit what it says it takes, bytes */
export async function startForeignService(
  gateway: TestGateway,
  options: { name: string; sizeLimit?: number },
): Promise<ForeignService> {
  const envelopes: Envelope[] = [];
  const properties = { messageTTL: 0, sizeLimit: options.sizeLimit ?? 100_000 };
  const server = await startHttpServer(async (request, response) => {
    const { method, params } = JSON.parse(Buffer.concat(await request.toArray()).toString()) as Call;
    if (method !== 'dm3_submitMessage')
      return sendJson(response, { jsonrpc: '2.0', result: JSON.stringify(properties) });
    if (service.mood === 'fails') return void response.writeHead(503).end();
    if (service.mood === 'refuses') return sendJson(response, { error: 'unknown user' }, 400);
    envelopes.push(JSON.parse(params[0]!) as Envelope);
    return void response.end('OK');
  });
  const service: ForeignService = { name: options.name as EnsName, envelopes, mood: 'takes', stop: () => server.stop() };
  await publish(gateway, service.name, server.url);
  return service;
}

interface Call {
  readonly method: string;
  readonly params: readonly string[];
}

async function publish({ crypto, deployer, world }: TestGateway, name: EnsName, url: string): Promise<void> {
  const { registry, plainResolver: resolver } = world;
  const value = deliveryServiceRecord(profileKeysFromSeed(crypto, randomBytes(32)), url);
  await registerName(deployer, { registry, resolver, name });
  await setText(deployer, { resolver, name, key: DELIVERY_SERVICE_RECORD, value });
}
