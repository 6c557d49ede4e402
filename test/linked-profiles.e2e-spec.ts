import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { DnsResolver } from '../src/adapters/email/dns.js';
import type { EnsName } from '../src/common/ids.js';
import { Maintenance } from '../src/gateway/maintenance.js';
import { setAddr } from '../src/naming/contracts/deploy.js';
import { signPersonalMessage } from '../src/protocol/crypto/keys.js';
import { signText } from '../src/protocol/crypto/signature.js';
import { fromHex, toHex } from '../src/protocol/encoding/hex.js';
import {
  LINKED_NAME_RECORD,
  PROFILE_LINK_RECORD,
  verifyProfileLink,
  type ProfileLink,
  type SignedProfileLink,
} from '../src/protocol/profile/profile-link.js';
import { parseRecord } from '../src/protocol/profile/record.js';
import { signProfile } from '../src/protocol/profile/user-profile.js';
import { createPerson, type Person } from '../src/sandbox/people.js';
import { settle } from '../src/sandbox/world.js';
import { Correspondent } from './support/correspondent.js';
import { deployContractWallet } from './support/contract-wallet.js';
import { clientCrypto, ethers5, RealClient } from './support/dm3-lib.js';
import { openEnsClients } from './support/ens-clients.js';
import { eventually } from './support/eventually.js';
import { expectRestError } from './support/expect-refusal.js';
import { ask } from './support/http-answer.js';
import { arrivedMail, mailFor, sendMail } from './support/mail.js';
import { startSecondGateway } from './support/second-gateway.js';
import { DOMAIN, SERVICE, TestGateway } from './support/test-gateway.js';

interface Begun {
  readonly id: string;
  readonly profileLink: ProfileLink;
  readonly text: string;
}

interface Shown extends SignedProfileLink {
  readonly address: string;
  readonly alias: string;
  readonly name: string;
  readonly removalText: string;
}

/** example.org sends from this machine and says so in DMARC; nobody else publishes anything. */
const dns: DnsResolver = async (name, type) => {
  if (name === 'example.org' && type === 'TXT') return [['v=spf1 ip4:127.0.0.1 -all']];
  if (name === '_dmarc.example.org' && type === 'TXT') return [['v=DMARC1; p=reject']];
  throw Object.assign(new Error('no such record'), { code: 'ENOTFOUND' });
};

/** In a minute: more than the suite needs. */
const CODES = 100;

let gateway: TestGateway;
let ens: ReturnType<typeof openEnsClients>;
beforeAll(async () => {
  gateway = await TestGateway.create({
    dns,
    ccipRead: { validitySeconds: 2 },
    settings: { links: { enabled: true, codesPerMinute: CODES } },
  });
  const { rpcUrls, chainId } = gateway.settings.ens;
  ens = openEnsClients({ rpcUrl: String(rpcUrls[0]), chainId: chainId!, registry: gateway.world.registry });
});
afterAll(async () => {
  ens.close();
  await gateway.stop();
});

const post = (path: string, body: unknown) => ask(`${gateway.url}/resolver/links${path}`, { body });
const aliasOf = (address: string) => `${address.replace('@', '._at.')}.email.gateway.eth`;
const byWallet = ({ walletPrivateKey }: Person, text: string) =>
  signPersonalMessage(gateway.crypto, fromHex(walletPrivateKey), text);
const byProfile = ({ keys }: Person, text: string) => signText(gateway.crypto, keys.signing.privateKey, text);
const unused = (code: string) => String(((Number(code) - 10_000 + 1) % 90_000) + 10_000);
const timePasses = (seconds: number) =>
  gateway.db.query('UPDATE notification_code SET sent_at = sent_at - make_interval(secs => $1)', [seconds]);

async function begin(person: Pick<Person, 'name'>, address: string, wish: object = {}): Promise<Begun> {
  const answer = await post('', { address, name: person.name, ...wish });
  expect(answer.status).toBe(200);
  return answer.json as Begun;
}

/** In the last mail to the address. */
async function codeFor(address: string): Promise<string> {
  const mail = (await mailFor(gateway, address)).at(-1)!;
  return /^Your code is (\d{5})\./.exec(mail.text!)![1]!;
}

/** Signed, and the code on its way. */
async function beginAndSign(person: Person, address: string): Promise<Begun> {
  const begun = await begin(person, address);
  expect((await post('/signature', { id: begun.id, signature: byWallet(person, begun.text) })).status).toBe(200);
  return begun;
}

async function link(person: Person, address: string): Promise<Shown> {
  const { id } = await beginAndSign(person, address);
  const answer = await post('/code', { id, code: await codeFor(address) });
  expect(answer.status).toBe(200);
  return answer.json as Shown;
}

async function linksOf(name: string, url = gateway.url): Promise<Shown[]> {
  const { status, json } = await ask(`${url}/resolver/links/${encodeURIComponent(name)}`);
  expect(status).toBe(200);
  return (json as { links: Shown[] }).links;
}

const gone = (address: string) =>
  eventually(`the link of ${address} to be gone`, async () => (await linksOf(address)).length === 0);

/** Whoever replaced the records of a name on the chain. */
const publish = (person: Pick<Person, 'name' | 'address' | 'profile'>) =>
  settle(gateway.deployer, { registry: gateway.world.registry, resolver: gateway.world.plainResolver, person });

const stranger = (name: string) =>
  createPerson(gateway.crypto, { name: name as EnsName, wallet: toHex(randomBytes(32)), deliveryService: SERVICE });

describe('A link', () => {
  it('is made by the wallet of the dm3 name and a code mailed to the address, and everybody can check it', async () => {
    const { alice } = gateway;
    const alias = aliasOf('alice@example.org');
    const wallet = new ethers5.Wallet(alice.walletPrivateKey);
    const begun = await begin(alice, 'Alice@Example.org');
    expect(begun.profileLink).toMatchObject({ mainId: wallet.address, linkedProfile: alias, scopeUri: gateway.url });
    expect((await post('/signature', { id: begun.id, signature: await wallet.signMessage(begun.text) })).status).toBe(
      200,
    );
    const [mail] = await mailFor(gateway, 'alice@example.org');
    expect(mail!.text).toContain('alice.eth says that alice@example.org is the same person');
    expect(await linksOf(alias)).toEqual([]);
    expect(await ens.readers['ethers 5'].text(alias, PROFILE_LINK_RECORD)).toBeNull();

    const made = await post('/code', { id: begun.id, code: await codeFor('alice@example.org') });
    expect(made).toMatchObject({ status: 200, json: { address: 'alice@example.org', alias, name: 'alice.eth' } });
    expect(await linksOf('alice@example.org')).toEqual([made.json]);
    expect(await linksOf('alice.eth')).toEqual([made.json]);
    for (const reader of Object.values(ens.readers)) {
      await eventually('the link in ENS', async () => (await reader.text(alias, PROFILE_LINK_RECORD)) !== null);
      expect(await reader.text(alias, LINKED_NAME_RECORD)).toBe('alice.eth');
      expect(await reader.text(alias, 'description')).toContain('Linked with alice.eth.');
      const record = parseRecord((await reader.text(alias, PROFILE_LINK_RECORD))!);
      const signed = (record.kind === 'data' && record.json) as SignedProfileLink;
      expect(signed.profileLink).toEqual(begun.profileLink);
      expect(verifyProfileLink(gateway.crypto, signed)).toBe(true);
      expect(await reader.address('alice.eth')).toBe(signed.profileLink.mainId);
    }
  });

  it('is made by the signing key of a client’s profile, too; one name has as many addresses as it likes', async () => {
    const client = await RealClient.create(gateway, gateway.alice);
    const { id, text, profileLink } = await begin(gateway.alice, 'alice@example.com', { type: 'ProfileLink' });
    expect(profileLink.mainId).toBe('alice.eth');
    const { signingKeyPair } = client.keys;
    await timePasses(60);
    const signature = await clientCrypto.sign(signingKeyPair.privateKey, text);
    expect((await post('/signature', { id, signature })).status).toBe(200);
    expect((await post('/code', { id, code: await codeFor('alice@example.com') })).status).toBe(200);
    const [shown] = await linksOf('alice@example.com');
    expect(await clientCrypto.checkSignature(signingKeyPair.publicKey, text, shown!.signature)).toBe(true);
    expect((await linksOf('alice.eth')).map(({ address }) => address).sort()).toEqual([
      'alice@example.com',
      'alice@example.org',
    ]);
  });

  it('is made by a contract that stands by the signature', async () => {
    const key = randomBytes(32);
    const wallet = await deployContractWallet(gateway.deployer, gateway.crypto.ethereumAddress(key));
    const vault = { ...stranger('vault.eth'), address: wallet, walletPrivateKey: toHex(key) };
    await publish(vault);
    expect(await link(vault, 'vault@example.org')).toMatchObject({ name: 'vault.eth' });
    expect(await linksOf('vault@example.org')).toHaveLength(1);
  });

  it('is replaced by a later one of the same address', async () => {
    const [first, second] = [await gateway.addPerson('first.eth'), await gateway.addPerson('second.eth')];
    await link(first, 'shared@example.org');
    await link(second, 'shared@example.org');
    expect(await linksOf('shared@example.org')).toMatchObject([{ name: 'second.eth' }]);
    expect(await linksOf('first.eth')).toEqual([]);
  });
});

describe('A link holds no longer', () => {
  it('than the name is its owner’s', async () => {
    const mover = await gateway.addPerson('mover.eth');
    await link(mover, 'mover@example.org');
    const { plainResolver: resolver } = gateway.world;
    await setAddr(gateway.deployer, { resolver, name: mover.name, address: stranger('x.eth').address });
    await gone('mover@example.org');
    expect(await linksOf('mover.eth')).toEqual([]);
    const alias = aliasOf('mover@example.org');
    expect(await ens.readers['ethers 6'].text(alias, PROFILE_LINK_RECORD)).toBeNull();
  });

  it('than the keys it was signed with, if those are of a profile', async () => {
    const turner = await gateway.addPerson('turner.eth');
    const { id, text } = await begin(turner, 'turner@example.org', { type: 'ProfileLink' });
    await post('/signature', { id, signature: byProfile(turner, text) });
    expect((await post('/code', { id, code: await codeFor('turner@example.org') })).status).toBe(200);
    const { profile } = stranger('other.eth').profile;
    const rotated = signProfile(gateway.crypto, profile, fromHex(turner.walletPrivateKey));
    await publish({ ...turner, profile: rotated });
    await gone('turner@example.org');
  });

  it('than it says itself, and is then forgotten', async () => {
    await gateway.db.query('TRUNCATE profile_link');
    const { profileLink } = await link(await gateway.addPerson('brief.eth'), 'brief@example.org');
    const rows = () =>
      gateway.db.query<{ until: number }>('SELECT extract(epoch FROM expires_at)::float8 AS until FROM profile_link');
    expect(await rows()).toEqual([{ until: profileLink.expirationTime }]);
    await gateway.db.query('UPDATE profile_link SET expires_at = now()');
    expect(await linksOf('brief@example.org')).toEqual([]);
    await gateway.running.app.get(Maintenance).run();
    expect(await rows()).toEqual([]);
  });
});

describe('Either side takes a link back, at once and in all processes:', () => {
  it('the owner of the name by a signature, which is good for this link only', async () => {
    const ruth = await gateway.addPerson('ruth.eth');
    const { removalText } = await link(ruth, 'ruth@example.org');
    const second = await startSecondGateway(gateway);
    try {
      expect(await linksOf('ruth.eth', second.url)).toHaveLength(1);
      const signature = byWallet(ruth, removalText);
      const forged = { address: 'ruth@example.org', signature: byWallet(gateway.bob, removalText) };
      expectRestError(await post('/removal', forged), 403, /signed by the owner of ruth\.eth/);
      expect((await post('/removal', { address: 'ruth@example.org', signature })).status).toBe(200);
      expect(await linksOf('ruth.eth', second.url)).toEqual([]);
      await timePasses(60);
      await link(ruth, 'ruth@example.org');
      expectRestError(await post('/removal', { address: 'ruth@example.org', signature }), 403, /does not count/);
      const [{ removalText: text }] = (await linksOf('ruth@example.org')) as [Shown];
      const byKey = { address: aliasOf('ruth@example.org'), signature: byProfile(ruth, text) };
      expect((await post('/removal', byKey)).status).toBe(200);
      expect(await linksOf('ruth@example.org')).toEqual([]);
      expectRestError(await post('/removal', byKey), 404, /not linked/);
    } finally {
      await second.stop();
    }
  });

  it('the owner of the address by a code, and ENS follows', async () => {
    const address = 'sam@example.org';
    await link(await gateway.addPerson('sam.eth'), address);
    const shown = () => ens.readers['ethers 6'].text(aliasOf(address), LINKED_NAME_RECORD);
    expect(await shown()).toBe('sam.eth');
    const linkCode = await codeFor(address);
    expectRestError(await post('/removal', { address, code: linkCode }), 400, /resend/);
    expect((await post('/removal-code', { address })).status).toBe(200);
    const code = await codeFor(address);
    expectRestError(await post('/removal', { address, code: unused(code) }), 400, /^Invalid OTP/);
    expect((await post('/removal', { address, code })).status).toBe(200);
    expect(await linksOf(address)).toEqual([]);
    await eventually('the record to go', async () => (await shown()) === null);
    expectRestError(await post('/removal-code', { address }), 404, /not linked/);
  });
});

const XMTP = `0x${'ab'.repeat(20)}.xmtp.gateway.eth`;

describe('Nobody is linked', () => {
  const address = 'victim@example.org';

  it('by somebody else’s signature, or one of another link', async () => {
    const { alice, bob } = gateway;
    const [mine, another] = [await begin(alice, address), await begin(alice, address)];
    for (const [text, person] of [
      [mine.text, bob],
      [another.text, alice],
      [`${mine.text} `, alice],
    ] as const) {
      const answer = await post('/signature', { id: mine.id, signature: byWallet(person, text) });
      expectRestError(answer, 403, /does not count.*owner of alice\.eth/);
    }
    const wrongKind = await post('/signature', { id: mine.id, signature: byProfile(alice, mine.text) });
    expectRestError(wrongKind, 403, /with the wallet/);
    expect(await mailFor(gateway, address)).toEqual([]);
  });

  it('without the code, and not by guessing', async () => {
    await timePasses(60);
    const { id } = await begin(gateway.alice, address);
    expectRestError(await post('/code', { id, code: '12345' }), 400, /has to sign the link first/);
    const signed = await beginAndSign(gateway.alice, address);
    const code = await codeFor(address);
    for (let guess = 0; guess < 5; guess += 1) {
      expectRestError(await post('/code', { id: signed.id, code: unused(code) }), 400, /^Invalid OTP/);
    }
    expectRestError(await post('/code', { id: signed.id, code }), 400, /Too many wrong OTPs/);
    expect(await linksOf(address)).toEqual([]);
  });

  it('by a code that is old, for another link, or used', async () => {
    await timePasses(60);
    const eve = await gateway.addPerson('eve.eth');
    const mine = await beginAndSign(gateway.alice, address);
    const minesCode = await codeFor(address);
    const eves = await beginAndSign(eve, address);
    expectRestError(await post('/code', { id: eves.id, code: minesCode }), 400, /^Invalid OTP/);
    await timePasses(601);
    expectRestError(await post('/code', { id: mine.id, code: minesCode }), 400, /expired/);
    const again = { id: mine.id, signature: byWallet(gateway.alice, mine.text) };
    expect((await post('/signature', again)).status).toBe(200);
    expectRestError(await post('/signature', again), 400, /New OTP can be generated in/);
    const code = await codeFor(address);
    expect((await post('/code', { id: mine.id, code })).status).toBe(200);
    expectRestError(await post('/code', { id: mine.id, code }), 404, /Begin anew/);
    expect(await linksOf(address)).toMatchObject([{ name: 'alice.eth' }]);
  });

  it('after an hour, or once the name has moved', async () => {
    const late = await begin(gateway.bob, 'late@example.org');
    await gateway.db.query('UPDATE profile_link SET expires_at = now() WHERE NOT is_published');
    const signature = byWallet(gateway.bob, late.text);
    expectRestError(await post('/signature', { id: late.id, signature }), 404, /Begin anew/);
    const nomad = await gateway.addPerson('nomad.eth');
    const { id } = await beginAndSign(nomad, 'nomad@example.org');
    await publish({ ...nomad, address: stranger('z.eth').address });
    const code = await codeFor('nomad@example.org');
    const refusal = await eventually('the move to be seen', async () => {
      const answer = await post('/code', { id, code: unused(code) });
      return answer.status === 403 && answer;
    });
    expectRestError(refusal, 403, /nomad\.eth has moved/);
  });

  it('more often than mails may be sent to an address', async () => {
    const people: Person[] = [];
    for (const n of [1, 2, 3]) people.push(await gateway.addPerson(`p${n}.eth`));
    for (let sent = 0; sent < 5; sent += 1) {
      await timePasses(60);
      await beginAndSign(people[sent % 3]!, 'flooded@example.org');
    }
    await timePasses(60);
    const { id, text } = await begin(people[2]!, 'Flooded+tag@example.org');
    const answer = await post('/signature', { id, signature: byWallet(people[2]!, text) });
    expectRestError(answer, 400, /New OTP can be generated in \d+ seconds/);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(80_000);
  });

  it.each([
    [
      'a dm3 name on both sides',
      { address: 'bob.eth', name: 'alice.eth' },
      404,
      /stands for nobody on another network/,
    ],
    ['a mail address on both sides', { address, name: aliasOf('x@example.org') }, 400, /has to be a dm3 name/],
    ['a name that does not exist', { address, name: 'nobody.eth' }, 404, /does not exist/],
    ['what is no name', { address, name: 'a b' }, 400, /is not an ENS name/],
    ['what is no address', { address: 'x@', name: 'alice.eth' }, 400, /not an address/],
    ['a network that is not served', { address: XMTP, name: 'alice.eth' }, 400, /no network of this gateway/],
    ['for ever', { address, name: 'alice.eth', days: 100_000 }, 400, /invalid schema/],
    ['nothing', {}, 400, /invalid schema/],
  ])('where the wish is %s', async (_, wish, status, reason) => {
    expectRestError(await post('', wish), status, reason);
  });

  it('by an id that is none, or an address of our own', async () => {
    expectRestError(await post('/code', { id: 'x', code: '1' }), 400, /invalid schema/);
    const { id, text } = await begin(gateway.bob, `bob.eth@${DOMAIN}`);
    const answer = await post('/signature', { id, signature: byWallet(gateway.bob, text) });
    expectRestError(answer, 400, /could not be sent there/);
  });
});

describe('Somebody who is linked', () => {
  const from = 'Rita <rita@example.org>';
  const relayTo = `${aliasOf('x@victim.com')}@${DOMAIN}`;
  const refusal = /550 5\.7\.1 .*does not relay/;
  let rita: Person;
  beforeAll(async () => {
    rita = await gateway.addPerson('rita.eth', { signUp: true });
    await link(rita, 'rita@example.org');
  });

  it('writes from one mail address to another as the dm3 name, which gets the answer', async () => {
    await sendMail(gateway, { from, to: relayTo, subject: 'Relayed', text: 'over the bridge' });
    const mail = await arrivedMail(gateway, 'x@victim.com', 'over the bridge');
    expect(mail.from!.value).toEqual([{ name: 'rita.eth', address: `rita.eth@${DOMAIN}` }]);
    expect(mail.subject).toBe('Relayed');
    const answer = { from: 'x@victim.com', to: `rita.eth@${DOMAIN}`, text: 'and back', inReplyTo: mail.messageId! };
    await sendMail(gateway, answer);
    const inbox = new Correspondent(gateway, rita);
    const letter = await eventually('the answer', async () =>
      (await inbox.inbox()).find(({ message }) => message.message?.includes('and back')),
    );
    expect(letter.message.metadata).toMatchObject({ from: aliasOf('x@victim.com'), type: 'REPLY' });
  });

  it('is told in dm3 where such a mail does not arrive', async () => {
    const to = `${aliasOf('y@victim.com')}@${DOMAIN}`;
    await sendMail(gateway, { from, to, text: 'to be bounced' });
    const { captured } = await arrivedMail(gateway, 'y@victim.com', 'to be bounced');
    const report = [
      'From: mailer-daemon@victim.com',
      `To: ${captured.from}`,
      'Subject: Undelivered',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
      '',
      '--b',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; victim.com',
      '',
      'Final-Recipient: rfc822; y@victim.com',
      'Action: failed',
      'Status: 5.1.1',
      'Diagnostic-Code: smtp; 550 5.1.1 no such user',
      '',
      '--b--',
      '',
    ].join('\r\n');
    await sendMail(gateway, { envelope: { from: '', to: captured.from }, raw: report });
    const inbox = new Correspondent(gateway, rita);
    await eventually('the notice', async () =>
      (await inbox.inbox()).find(({ message }) => message.message?.includes('no such user')),
    );
  });

  it('does so only with mail that passes DMARC, and nobody else does', async () => {
    const weak = await gateway.addPerson('weak.eth', { signUp: true });
    await link(weak, 'weak@unsigned.org');
    await expect(sendMail(gateway, { from: 'weak@unsigned.org', to: relayTo, text: 'no' })).rejects.toThrow(refusal);
    await expect(sendMail(gateway, { from: 'dora@example.org', to: relayTo, text: 'no' })).rejects.toThrow(refusal);
    const asRita = { envelope: { from: 'rita@example.org', to: relayTo }, from: 'dora@example.org', to: relayTo };
    await expect(sendMail(gateway, { ...asRita, text: 'no' })).rejects.toThrow(refusal);
    await sendMail(gateway, { from: 'weak@unsigned.org', to: `bob.eth@${DOMAIN}`, text: 'yes' });
    expect(await mailFor(gateway, 'x@victim.com')).toHaveLength(1);
  });

  it('does so no longer once the link was removed', async () => {
    const [{ removalText }] = (await linksOf('rita@example.org')) as [Shown];
    await post('/removal', { address: 'rita@example.org', signature: byWallet(rita, removalText) });
    await expect(sendMail(gateway, { from, to: relayTo, text: 'no' })).rejects.toThrow(refusal);
  });
});

it('The database tells nobody who is linked', async () => {
  await link(await gateway.addPerson('zoe.eth'), 'zoe@example.org');
  const [row] = await gateway.db.query<{ all: string }>(
    `SELECT string_agg(encode(sealed_link, 'escape') || encode(ghost_key, 'escape') || encode(owner_key, 'escape'), '')
       AS all FROM profile_link`,
  );
  expect(row!.all).not.toMatch(/example|eth|nonce/);
});
