import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { startHttpServer } from '../../../test/support/http-server.js';
import { PushService } from '../../../test/support/push-service.js';
import { PushChannel } from './push-channel.js';
import { vapidKeys } from './vapid.js';

const rootSecret = randomBytes(32);
const parts = { vapid: vapidKeys(rootSecret), contact: 'mailto:operator@example.org', allowPrivate: true };
const channel = new PushChannel(parts);

let service: PushService;
let recipient: string;
beforeAll(async () => void (service = await PushService.start()));
beforeEach(() => {
  service.status = 201;
  service.pushes.length = 0;
  recipient = channel.parseRecipient(service.subscription);
});
afterAll(() => service.stop());

describe('a push', () => {
  it('reaches the browser that subscribed, encrypted for it and signed by the key everybody can read', async () => {
    await channel.notify(recipient);
    const [push] = service.pushes;
    expect(push).toMatchObject({
      payload: { title: 'New Message', body: 'You received a new message.' },
      headers: { 'content-encoding': 'aes128gcm', ttl: '86400', topic: 'dm3-new-message' },
      claims: { aud: service.origin, sub: 'mailto:operator@example.org' },
      vapidKey: channel.publicConfig.publicVapidKey,
    });
  });

  it('is signed by the same key after a restart, and by another for another gateway', () => {
    expect(vapidKeys(rootSecret)).toEqual(parts.vapid);
    expect(vapidKeys(randomBytes(32)).publicKey).not.toBe(parts.vapid.publicKey);
  });

  it.each([404, 410])('that is answered %d goes to nobody any more', async (status) => {
    service.status = status;
    await expect(channel.notify(recipient)).rejects.toMatchObject({ code: 'RECIPIENT_GONE' });
  });

  it.each([
    [429, true],
    [503, true],
    [400, false],
    [403, false],
    [413, false],
  ])('that is answered %d is tried again: %p', async (status, retryable) => {
    service.status = status;
    await expect(channel.notify(recipient)).rejects.toMatchObject({
      retryable,
      message: expect.stringContaining(`${status}`),
    });
  });

  it('does not follow the push service elsewhere', async () => {
    const asked = jest.fn((_: unknown, response: ServerResponse) => response.end());
    const elsewhere = await startHttpServer(asked);
    Object.assign(service, { status: 307, location: elsewhere.url });
    const outcome: unknown = await channel.notify(recipient).catch((error: unknown) => error);
    await elsewhere.stop();
    expect(outcome).toMatchObject({ code: 'FETCH_REFUSED', retryable: false });
    expect(asked).not.toHaveBeenCalled();
  });

  it.each(['127.0.0.1', 'localhost', '[::1]', '10.0.0.1', '169.254.169.254'])(
    'is not sent into the private network at %s',
    async (host) => {
      const careful = new PushChannel({ ...parts, allowPrivate: false });
      const endpoint = service.subscription.endpoint.replace('127.0.0.1', host).replace('http:', 'https:');
      const inside = careful.parseRecipient({ ...service.subscription, endpoint });
      await expect(careful.notify(inside)).rejects.toMatchObject({ code: 'FETCH_REFUSED', retryable: false });
    },
  );
});
