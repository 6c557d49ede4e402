import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Correspondent } from './support/correspondent.js';
import { expectNoInsides, expectRestError } from './support/expect-refusal.js';
import { ask } from './support/http-answer.js';
import { SERVICE, TestGateway } from './support/test-gateway.js';

let gateway: TestGateway;
let alice: Correspondent;
let bob: Correspondent;
let mallory: Correspondent;

beforeAll(async () => {
  gateway = await TestGateway.create();
  alice = new Correspondent(gateway, gateway.alice);
  bob = new Correspondent(gateway, gateway.bob);
  mallory = new Correspondent(gateway, await gateway.addPerson('mallory.eth', { signUp: true }));
});
afterAll(() => gateway.stop());

describe('A REST call', () => {
  const at = (path: string) => `${gateway.deliveryServiceUrl}/${path}`;

  it.each([
    ['text', '"profile"'],
    ['nothing known', {}],
    ['no signature', { profile: { publicEncryptionKey: 'a', publicSigningKey: 'b', deliveryServices: [] } }],
    [
      'a broken key',
      { profile: { publicEncryptionKey: '', publicSigningKey: '', deliveryServices: [SERVICE] }, signature: '0x' },
    ],
  ])('refuses a profile that holds %s', async (_, body) => {
    const answer = await ask(at('profile/alice.eth'), { body });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expectNoInsides(answer);
  });

  it("refuses somebody else's profile, and one for another delivery service", async () => {
    expectRestError(
      await ask(at('profile/alice.eth'), { body: gateway.bob.profile }),
      403,
      /not signed by the address/,
    );
    const elsewhere = await gateway.addPerson('elsewhere.eth', { deliveryService: 'ds.elsewhere.eth' });
    expectRestError(await ask(at('profile/elsewhere.eth'), { body: elsewhere.profile }), 403, /does not list/);
  });

  it.each(['{half', '', '[]', '{}', '{"challenge":7,"signature":"x"}', '{"challenge":"x","signature":"x","more":1}'])(
    'refuses to log in with %j',
    async (body) => {
      const answer = await ask(at('auth/alice.eth'), { body });
      expect(answer.status).toBe(400);
      expectNoInsides(answer);
    },
  );

  it('refuses a challenge that is made up, expired, used, or somebody else’s', async () => {
    const login = (challenge: string) => ask(at('auth/alice.eth'), { body: { challenge, signature: 'AAAA' } });
    expectRestError(await login('made up'), 400, /unknown, used or expired/);
    const expired = await alice.challenge();
    await gateway.db.query("UPDATE login_challenge SET expires_at = now() - interval '1 second'");
    expectRestError(await login(expired), 400, /unknown, used or expired/);
    expectRestError(await login(await bob.challenge()), 400, /unknown, used or expired/);
    const used = await alice.challenge();
    expectRestError(await login(used), 400, /^Signature invalid$/);
    expectRestError(await login(used), 400, /unknown, used or expired/);
  });

  it.each([
    ['none', undefined],
    ['nonsense', 'nonsense'],
    ['an unsigned one', `${base64url({ alg: 'none' })}.${base64url({ account: 'alice.eth' })}.`],
    ['a self-made one', `${base64url({ alg: 'HS256' })}.${base64url({ account: 'alice.eth' })}.AAAA`],
  ])('wants a token, and this one will not do: %s', async (_, token) => {
    for (const path of ['delivery/messages/incoming/alice.eth', 'delivery/messages/alice.eth/contact/bob.eth']) {
      expectRestError(await ask(at(path), { token }), 401, /^Log in first/);
    }
    const body = { acknowledgements: [] };
    expectRestError(
      await ask(at('delivery/messages/alice.eth/syncAcknowledgements'), { token, body }),
      401,
      /^Log in first/,
    );
  });

  it("gives nobody another one's mail", async () => {
    const token = await mallory.token();
    expectRestError(await ask(at('delivery/messages/incoming/bob.eth'), { token }), 401, /^Log in first/);
  });

  it.each([{}, { acknowledgements: 7 }, { acknowledgements: [{}] }, { acknowledgements: [{ messageHash: '0x12' }] }])(
    'refuses the acknowledgement %j',
    async (body) => {
      const answer = await ask(at('delivery/messages/bob.eth/syncAcknowledgements'), {
        token: await bob.token(),
        body,
      });
      expectRestError(answer, 400, /^invalid schema$/);
    },
  );

  it('says what the operator has not switched on', async () => {
    const claim = { dm3Name: 'x', addressName: 'y', signature: 'z' };
    const name = await ask(`${gateway.url}/resolver/profile/name`, { body: claim });
    expectRestError(name, 404, /subdomains\.enabled/);
    const wish = { address: 'dora@example.org', name: 'bob.eth', type: 'EthAddressLink' };
    expectRestError(await ask(`${gateway.url}/resolver/links`, { body: wish }), 404, /links\.enabled/);
  });

  it('knows who is unknown', async () => {
    for (const path of ['profile/nobody-at-all.eth', 'auth/nobody-at-all.eth']) {
      expectRestError(await ask(at(path)), 404, /nobody-at-all\.eth/);
    }
    expect((await ask(at('profile/%ff'))).status).toBe(400);
    expect((await ask(at(`profile/${'long'.repeat(100)}.eth`))).status).toBe(400);
    expect((await ask(at('no/such/call'))).status).toBe(404);
  });
});

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
