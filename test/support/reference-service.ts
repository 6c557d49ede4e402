import type { DeliveryServiceProfileKeys } from '@dm3-org/dm3-lib-profile';
import type { EnsName } from '../../src/common/ids.js';
import { registerName, setText } from '../../src/naming/contracts/deploy.js';
import {
  clientProfile,
  loadDeliveryLibrary,
  messaging,
  shared,
  type AnyEnvelope,
  type RealClient,
  type Received,
} from './dm3-lib.js';
import { eventually } from './eventually.js';
import { sendJson, startHttpServer, type TestServer } from './http-server.js';
import type { TestGateway } from './test-gateway.js';

/** A delivery service made of the published libraries: it knows only the older form of envelopes. */
export class ReferenceService {
  /** By name; empty it, and nobody is known here any more. */
  readonly accounts = new Map<string, RealClient>();
  /** Processed, as its clients would fetch them. */
  readonly delivered: AnyEnvelope[] = [];
  /** How often somebody tried. */
  submissions = 0;

  private constructor(
    private readonly server: TestServer,
    private readonly keys: DeliveryServiceProfileKeys,
  ) {}

  static async start(gateway: TestGateway, name: string): Promise<ReferenceService> {
    const server = await startHttpServer();
    const { deliveryServiceProfile, keys } = await clientProfile.createDeliveryServiceProfile(server.url);
    const service = new ReferenceService(server, keys);
    server.handler = async (request, response) => {
      const { method, params } = JSON.parse(Buffer.concat(await request.toArray()).toString()) as Call;
      if (method !== 'dm3_submitMessage') return sendJson(response, { error: 'Method not allowed' }, 405);
      const refusal = await service.#take(JSON.parse(params[0]!) as AnyEnvelope);
      if (refusal) return sendJson(response, refusal, 400);
      response.writeHead(200, { 'content-type': 'text/html' }).end('OK');
    };
    await publish(gateway, name as EnsName, deliveryServiceProfile);
    return service;
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  /** Waits for a message to the client whose text holds these words. */
  receive(client: RealClient, words: string): Promise<Received> {
    return eventually(`a message with "${words}" at the other delivery service`, async () => {
      const received = await Promise.all(this.delivered.map((envelope) => client.open(envelope)));
      return received.find(({ message }) => message.message?.includes(words));
    });
  }

  /** @returns what the refusal says; null if the envelope was taken */
  async #take(envelope: AnyEnvelope): Promise<object | null> {
    this.submissions += 1;
    if (!shared.validateSchema(messaging.schema.EncryptionEnvelopeSchema, envelope)) return { error: 'invalid schema' };
    const { decryptDeliveryInformation, handleIncomingMessage } = loadDeliveryLibrary();
    const submitted = envelope as Parameters<typeof handleIncomingMessage>[0];
    const { to } = await decryptDeliveryInformation(submitted, this.keys.encryptionKeyPair);
    const receiver = this.accounts.get(to);
    if (!receiver) return {};
    const { encryptedEnvelop, decryptedDeliveryInformation: deliveryInformation } = await handleIncomingMessage(
      submitted,
      this.keys,
      receiver.profile.profile,
    );
    const { metadata } = encryptedEnvelop;
    this.delivered.push({ ...encryptedEnvelop, metadata: { ...metadata, deliveryInformation } });
    return null;
  }
}

interface Call {
  readonly method: string;
  readonly params: readonly string[];
}

async function publish({ deployer, world }: TestGateway, name: EnsName, profile: object): Promise<void> {
  const { registry, plainResolver: resolver } = world;
  const value = shared.createJsonDataUri(profile);
  await registerName(deployer, { registry, resolver, name });
  await setText(deployer, { resolver, name, key: 'network.dm3.deliveryService', value });
}
