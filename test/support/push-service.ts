import { createECDH, createPublicKey, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { buffer } from 'node:stream/consumers';
import { jwtVerify } from 'jose';
import { startHttpServer, type TestServer } from './http-server.js';

const ece = createRequire(import.meta.url)('http_ece') as {
  decrypt(body: Buffer, options: { version: 'aes128gcm'; privateKey: unknown; authSecret: Buffer }): Buffer;
};

/** What a browser shows, and how it came. */
export interface Push {
  readonly payload: unknown;
  readonly headers: IncomingMessage['headers'];
  /** Of the application server's signature: whom it is for and who sent it. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** The public key that it was checked with. */
  readonly vapidKey: string;
}

/** A push service on loopback with the one browser that is subscribed to it. */
export class PushService {
  readonly pushes: Push[] = [];
  /** What the next requests are answered; other than 201, they are not looked at. */
  status = 201;
  /** Where a redirect leads. */
  location = '';
  readonly #keys = createECDH('prime256v1');
  readonly #auth = randomBytes(16);

  private constructor(private readonly server: TestServer) {
    this.#keys.generateKeys();
    server.handler = async (request, response) => {
      if (this.status === 201) this.pushes.push(await this.#open(request));
      response.writeHead(this.status, { location: this.location }).end();
    };
  }

  static async start(): Promise<PushService> {
    return new PushService(await startHttpServer());
  }

  get origin(): string {
    return this.server.url;
  }

  /** As `PushSubscription.toJSON()` gives it. */
  get subscription() {
    const keys = { p256dh: this.#keys.getPublicKey('base64url'), auth: this.#auth.toString('base64url') };
    return { endpoint: `${this.origin}/push/${this.#auth.toString('hex')}`, expirationTime: null, keys };
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  async #open(request: IncomingMessage): Promise<Push> {
    const { headers } = request;
    const options = { version: 'aes128gcm', privateKey: this.#keys, authSecret: this.#auth } as const;
    const payload: unknown = JSON.parse(ece.decrypt(await buffer(request), options).toString());
    const [, token, vapidKey] = /^vapid t=(\S+), k=(\S+)$/.exec(headers.authorization ?? '') ?? [];
    const { payload: claims } = await jwtVerify(token!, publicKey(vapidKey!), { audience: this.origin });
    return { payload, headers, claims, vapidKey: vapidKey! };
  }
}

function publicKey(vapidKey: string) {
  const point = Buffer.from(vapidKey, 'base64url');
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url'));
  return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x: x!, y: y! } });
}
