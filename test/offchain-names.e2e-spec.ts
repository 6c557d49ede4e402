import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Wallet } from 'ethers';
import type { EnsName } from '../src/common/ids.js';
import { toHex } from '../src/protocol/encoding/hex.js';
import { createPerson, type Person } from '../src/sandbox/people.js';
import { Correspondent } from './support/correspondent.js';
import { eventually } from './support/eventually.js';
import { expectRpcError } from './support/expect-refusal.js';
import { ask } from './support/http-answer.js';
import { sendJson, startHttpServer, type TestServer } from './support/http-server.js';
import { SmtpClient } from './support/smtp-client.js';
import { StrangersNames } from './support/strangers-names.js';
import { DOMAIN, SERVICE, TestGateway } from './support/test-gateway.js';

const LOOKUP_MS = 1_000;
const GHOST = 'carol._at.example.com.email.gateway.eth';
const TRY_AGAIN = /^451 4\.4\.3 .*Try again later/;

let gateway: TestGateway;
let club: StrangersNames;
let broken: TestServer;
let client: SmtpClient;

beforeAll(async () => {
  gateway = await TestGateway.create({ ens: { timeoutMs: LOOKUP_MS } });
  club = await StrangersNames.open(gateway.deployer, gateway.world.registry, 'club.eth');
  broken = await startHttpServer((_, response) => sendJson(response, {}, 502));
  client = await SmtpClient.connect(gateway.smtpPort);
});
afterEach(async () => {
  club.mischief = null;
  await club.serveAt(club.url);
});
afterAll(async () => {
  client.close();
  await Promise.all([gateway.stop(), club.stop(), broken.stop()]);
});

let members = 0;

/** Somebody new whose name is nowhere but at the club's server. */
function newMember(name = `member${(members += 1)}.club.eth`): Person {
  const wallet = toHex(randomBytes(32));
  const member = createPerson(gateway.crypto, { name: name as EnsName, wallet, deliveryService: SERVICE });
  club.publish(member);
  return member;
}

async function signUp(member: Person): Promise<Correspondent> {
  await ask(`${gateway.deliveryServiceUrl}/profile/${member.name}`, { body: member.profile });
  return new Correspondent(gateway, member);
}

const mailTo = ({ name }: Person) => client.recipient(`${name}@${DOMAIN}`);

describe('A name that lives at somebody else’s server', () => {
  it('gets mail, and answers', async () => {
    const dora = await signUp(newMember('dora.club.eth'));
    const mail =
      'From: carol@example.com\r\nSubject: Off the chain\r\nMessage-ID: <1@example.com>\r\n\r\nAre you there?';
    expect(await client.deliver(mail, { to: `dora.club.eth@${DOMAIN}` })).toMatch(/^250 /);
    const letter = await eventually('the mail', async () => (await dora.inbox())[0]);
    expect(letter).toMatchObject({ genuine: true, message: { message: expect.stringContaining('Are you there?') } });

    await dora.send({ to: letter.message.metadata.from, text: 'I am.', answers: letter.hash });
    const answer = await eventually('the answer', async () => (await gateway.sentMail())[0]);
    expect(answer.raw).toMatch(/^From: .*dora\.club\.eth@gateway\.test/m);
    expect(answer.raw).toContain('In-Reply-To: <1@example.com>');
  });

  it('writes to dm3 users, and they to it', async () => {
    const [erna, bob] = [await signUp(newMember('erna.sub.club.eth')), new Correspondent(gateway, gateway.bob)];
    await erna.send({ to: 'bob.eth', text: 'from the club' });
    expect(await bob.inbox()).toMatchObject([{ genuine: true, message: { message: 'from the club' } }]);
    await bob.send({ to: 'erna.sub.club.eth', text: 'to the club' });
    expect(await erna.inbox()).toMatchObject([{ genuine: true, message: { message: 'to the club' } }]);
  });

  it('is found at the second server where the first is broken', async () => {
    await club.serveAt(`${broken.url}/{sender}/{data}`, club.url);
    expect(await mailTo(newMember())).toMatch(/^250 /);
  });

  it('is found though its contract asks again, but not if it goes on asking', async () => {
    await club.takeDetours(2);
    expect(await mailTo(newMember())).toMatch(/^250 /);
    await club.takeDetours(50);
    expect(await mailTo(newMember())).toMatch(TRY_AGAIN);
    await club.takeDetours(0);
  });

  it('does not exist if the server says so and signs it', async () => {
    expect(await client.recipient(`nobody.club.eth@${DOMAIN}`)).toMatch(/^550 5\.1\.1 .*nobody\.club\.eth/);
  });
});

describe('A server that gives no answer proves nothing', () => {
  const elsewhere = (response: ServerResponse) => response.writeHead(302, { location: 'ftp://127.0.0.1/' }).end();

  it.each([
    ['is broken', (response: ServerResponse) => sendJson(response, {}, 500)],
    ['knows nothing', (response: ServerResponse) => sendJson(response, { message: 'not found' }, 404)],
    ['hangs', () => {}],
    ['drips', (response: ServerResponse) => response.write('{')],
    ['floods', (response: ServerResponse) => response.end(Buffer.alloc(2_000_000, '7'))],
    ['talks of other things', (response: ServerResponse) => response.end('<html>Welcome!</html>')],
    ['makes it up', (response: ServerResponse) => sendJson(response, { data: `0x${'00'.repeat(64)}` })],
    ['leads elsewhere', elsewhere],
    ['hangs up', (response: ServerResponse) => response.destroy()],
  ])('when it %s: both sides are asked to come back, and find the name then', async (_, mischief) => {
    const member = newMember();
    const writer = await signUp(newMember());
    const envelope = await writer.envelope({ to: GHOST, text: 'from a name that cannot be checked' });
    club.mischief = mischief;
    expect(await mailTo(member)).toMatch(TRY_AGAIN);
    await eventually('what is believed of the writer to be forgotten', async () => {
      return (await writer.submit(envelope, 'x-7')).status !== 200;
    });
    expectRpcError(await writer.submit(envelope, 'x-7'), -32002, { status: 503 });
    club.mischief = null;
    expect(await mailTo(member)).toMatch(/^250 /);
    expect((await writer.submit(envelope)).status).toBe(200);
  });

  it('when a stranger signs', async () => {
    const [{ signer }, member] = [club, newMember()];
    club.signer = new Wallet(Wallet.createRandom().privateKey);
    expect(await mailTo(member)).toMatch(TRY_AGAIN);
    club.signer = signer;
    expect(await mailTo(member)).toMatch(/^250 /);
  });

  it('and a 4xx ends the search, as ERC-3668 says', async () => {
    broken.handler = (_, response) => sendJson(response, {}, 400);
    await club.serveAt(`${broken.url}/{sender}/{data}`, club.url);
    expect(await mailTo(newMember())).toMatch(TRY_AGAIN);
  });
});

describe('The stranger’s contract', () => {
  it('was compiled as it is now (else run scripts/build-contracts.mjs)', () => {
    const folder = new URL('support/contracts/', import.meta.url);
    const source = readFileSync(new URL('StrangersResolver.sol', folder));
    const { sourceHash } = JSON.parse(readFileSync(new URL('artifacts/StrangersResolver.json', folder), 'utf8'));
    expect(sourceHash).toBe(createHash('sha256').update(source).digest('hex'));
  });
});
