import { randomBytes } from 'node:crypto';
import type { EnsName } from '../../src/common/ids.js';
import { registerName, setText } from '../../src/naming/contracts/deploy.js';
import { profileKeysFromSeed } from '../../src/protocol/crypto/keys.js';
import type { Envelope } from '../../src/protocol/envelope/envelope.js';
import { toBase64 } from '../../src/protocol/encoding/base64.js';
import { dataRecord, DELIVERY_SERVICE_RECORD } from '../../src/protocol/profile/record.js';
import { sendJson, startHttpServer } from './http-server.js';
import type { TestGateway } from './test-gateway.js';

/** Somebody else's delivery service, in the reference's manner: `OK` as text, bare errors. */
export interface ForeignService {
  readonly name: EnsName;
  /** Those it took. */
  readonly envelopes: readonly Envelope[];
  /** Whatever it was handed, taken or not. */
  readonly attempts: readonly Envelope[];
  /** `holds` never answers. */
  mood: 'takes' | 'refuses' | 'fails' | 'holds';
  /** Called before each answer. */
  onAttempt: () => void;
  stop(): Promise<void>;
}

/** Where its name is registered. */
export interface ForeignServiceHome extends Pick<TestGateway, 'crypto' | 'deployer'> {
  readonly world: Pick<TestGateway['world'], 'registry' | 'plainResolver'>;
}

/**
 * @param options.sizeLimit what it says it takes, bytes
 * @param options.extension what it says of its accounts; nothing by default
 * @param options.url where the world finds it, given its port; there by default
 */
export async function startForeignService(
  gateway: ForeignServiceHome,
  options: { name: string; sizeLimit?: number; extension?: object; url?: (port: number) => Promise<string> },
): Promise<ForeignService> {
  const envelopes: Envelope[] = [];
  const attempts: Envelope[] = [];
  const properties = { messageTTL: 0, sizeLimit: options.sizeLimit ?? 100_000 };
  const server = await startHttpServer(async (request, response) => {
    const { method, params } = JSON.parse(Buffer.concat(await request.toArray()).toString()) as Call;
    if (method !== 'dm3_submitMessage') {
      const result = method === 'dm3_getProfileExtension' ? (options.extension ?? {}) : properties;
      return sendJson(response, { jsonrpc: '2.0', result: JSON.stringify(result) });
    }
    const envelope = JSON.parse(params[0]!) as Envelope;
    attempts.push(envelope);
    service.onAttempt();
    if (service.mood === 'holds') return undefined;
    if (service.mood === 'fails') return void response.writeHead(503).end();
    if (service.mood === 'refuses') return sendJson(response, { error: 'unknown user' }, 400);
    envelopes.push(envelope);
    return void response.end('OK');
  });
  const service: ForeignService = {
    name: options.name as EnsName,
    envelopes,
    attempts,
    mood: 'takes',
    onAttempt: () => {},
    stop: () => server.stop(),
  };
  await publish(gateway, service.name, options.url ? await options.url(server.port) : server.url);
  return service;
}

interface Call {
  readonly method: string;
  readonly params: readonly string[];
}

async function publish({ crypto, deployer, world }: ForeignServiceHome, name: EnsName, url: string): Promise<void> {
  const { registry, plainResolver: resolver } = world;
  const { encryption, signing } = profileKeysFromSeed(crypto, randomBytes(32));
  const profile = {
    publicEncryptionKey: toBase64(encryption.publicKey),
    publicSigningKey: toBase64(signing.publicKey),
    url,
  };
  await registerName(deployer, { registry, resolver, name });
  await setText(deployer, { resolver, name, key: DELIVERY_SERVICE_RECORD, value: dataRecord(profile) });
}
