import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AbiCoder, Contract, Interface, verifyMessage } from 'ethers';
import type { ForeignAddress } from '../src/common/ids.js';
import { matrixCodec } from '../src/naming/alias/matrix.js';
import { xmtpCodec } from '../src/naming/alias/xmtp.js';
import { GhostKeys } from '../src/gateway/ghosts/ghost-keys.js';
import { ccipUrl, checkResolver } from '../src/naming/ccip-read/resolver-check.js';
import { readResolverState } from '../src/naming/ccip-read/resolver-state.js';
import { ccipSigners } from '../src/naming/ccip-read/signer-keys.js';
import { setSigner, setUrls } from '../src/naming/contracts/deploy.js';
import { dnsEncode, namehash } from '../src/naming/dns-name.js';
import { FakeNetwork } from './contract/fake-network.js';
import { RealClient } from './support/dm3-lib.js';
import { openEnsClients } from './support/ens-clients.js';
import { ROOT, SERVICE, TestGateway } from './support/test-gateway.js';

const SIGNER_VERSION = 2;
const LOOKUPS_A_MINUTE = 300;
const PROFILE = 'network.dm3.profile';
const CAROL = `carol._at.example.com.email.${ROOT}`;
const NOBODY = `nobody.${ROOT}`;
const abi = AbiCoder.defaultAbiCoder();
const records = new Interface([
  'function addr(bytes32 node) view returns (address)',
  'function addr(bytes32 node, uint256 coinType) view returns (bytes)',
  'function text(bytes32 node, string key) view returns (string)',
  'function pubkey(bytes32 node) view returns (bytes32, bytes32)',
  'function multicall(bytes[] calls) view returns (bytes[])',
]);

let gateway: TestGateway;
let clients: ReturnType<typeof openEnsClients>;
let resolver: Contract;

beforeAll(async () => {
  gateway = await TestGateway.create({
    // Networks whose adapters do not matter here: only their names do.
    adapters: [
      { adapter: new FakeNetwork('matrix'), codec: matrixCodec },
      { adapter: new FakeNetwork('xmtp'), codec: xmtpCodec },
    ],
    ccipRead: { signerVersion: SIGNER_VERSION, requestsPerMinute: LOOKUPS_A_MINUTE },
  });
  const { rpcUrls, chainId } = gateway.running.runtime.settings.ens;
  clients = openEnsClients({ rpcUrl: rpcUrls[0]!, chainId, registry: gateway.world.registry });
  const resolve = 'function resolve(bytes name, bytes data) view returns (bytes)';
  resolver = new Contract(gateway.world.offchainResolver, [resolve], clients.provider);
  await trust('current', true);
});
afterAll(async () => {
  clients.close();
  await gateway.stop();
});

const signers = () => ccipSigners(gateway.crypto, gateway.running.runtime.secrets.rootSecret, SIGNER_VERSION);

function trust(which: 'current' | 'previous', trusted: boolean): Promise<void> {
  return setSigner(gateway.deployer, {
    resolver: gateway.world.offchainResolver,
    signer: signers()[which]!,
    trusted,
  });
}

/** The result of a call that ethers has no method for, through CCIP-read. */
function ask(name: string, call: string): Promise<string> {
  return resolver.getFunction('resolve')(dnsEncode(name), call, { enableCcipRead: true });
}

/** Who the gateway is for carol@example.com, by the root secret alone. */
function carolsAddress(): string {
  const keys = new GhostKeys(gateway.crypto, gateway.running.runtime.secrets.rootSecret);
  return keys.address('mailto:carol@example.com' as ForeignAddress);
}

describe.each(['ethers 5', 'ethers 6'] as const)('for %s', (client) => {
  const reader = () => clients.readers[client];

  it.each([
    ['carol@example.com', CAROL],
    ['a.b+t_1@x.org', `a.b._p.t._u.1._at.x.org.email.${ROOT}`],
    ['@alice:hs.org', `alice._at.hs.org.matrix.${ROOT}`],
    ['!OGEhHVWSdvArJzumhm:hs.org', `_roomid._xj5duk2cikzlvgzdwifzeu6tvnvug2otiomxg64th.matrix.${ROOT}`],
    ['#dev:hs.org', `_room.dev._at.hs.org.matrix.${ROOT}`],
    ['an XMTP address', `0x${'ab'.repeat(20)}.xmtp.${ROOT}`],
    ['an XMTP inbox', `_inbox.zxg43tonzxg43tonzxg43tonzxg43tonzxg43tonzxg43tonzxgq.xmtp.${ROOT}`],
    ['"odd local part"@example.com', `_xn5sgiidmn5rwc3baobqxe5a._at.example.com.email.${ROOT}`],
  ])('the name of %s leads to an address, and to a profile which that address signed', async (_, name) => {
    const [address, record] = [await reader().address(name), await reader().text(name, PROFILE)];
    const { profile, signature } = JSON.parse(record!.replace('data:application/json,', ''));
    expect(profile.deliveryServices).toEqual([SERVICE]);
    const lines = [
      'dm3.chat wants you register your dm3 profile with your Ethereum account:',
      address,
      '',
      'This is required only once!',
      '(There is no paid transaction initiated. The signature is used off-chain only.)',
      '',
      'URI: https://dm3.chat',
      'Version: 1',
      `dm3 Profile: ${JSON.stringify(profile, Object.keys(profile).sort())}`,
    ];
    expect(verifyMessage(lines.join('\n'), signature)).toBe(address);
  });

  it('a person behind a name is described in words, the missing encryption on the last leg included', async () => {
    const texts = ['name', 'url', 'description'].map((key) => reader().text(CAROL, key));
    expect(await Promise.all(texts)).toEqual([
      'carol@example.com',
      'mailto:carol@example.com',
      expect.stringMatching(/end-to-end encrypted up to the gateway only/),
    ]);
  });

  it('records that a name does not have are absent, not failures', async () => {
    const absent = [
      reader().text(CAROL, 'avatar'),
      reader().contentHash(CAROL),
      reader().address(CAROL, 0),
      reader().address(NOBODY),
      reader().text(NOBODY, PROFILE),
    ];
    expect(await Promise.all(absent)).toEqual(absent.map(() => null));
  });

  it.each(['/ccip', '/ccip/{sender}.json'])('a resolver may have it POST to %s', async (end) => {
    const { offchainResolver } = gateway.world;
    await setUrls(gateway.deployer, { resolver: offchainResolver, urls: [`${gateway.url}${end}`] });
    expect((await reader().address(CAROL))?.toLowerCase()).toBe(carolsAddress());
    await setUrls(gateway.deployer, { resolver: offchainResolver, urls: [ccipUrl(gateway.url)] });
  });
});

describe('for other software', () => {
  it('the dm3 libraries take the profile of an alias name, and of the delivery service it lists', async () => {
    const alice = await RealClient.create(gateway, gateway.alice);
    const { profile } = await alice.lookUp(CAROL);
    expect(profile.deliveryServices).toEqual([SERVICE]);
    expect((await alice.serviceOf({ profile, signature: '' })).url).toBe(gateway.deliveryServiceUrl);
  });

  it('the address is there as that of a coin, Ether being the only one', async () => {
    const coin = (type: number) => records.encodeFunctionData('addr(bytes32,uint256)', [namehash(CAROL), type]);
    expect(abi.decode(['bytes'], await ask(CAROL, coin(60)))[0]).toBe(carolsAddress());
    expect(abi.decode(['bytes'], await ask(CAROL, coin(0)))[0]).toBe('0x');
  });

  it('several records come in one lookup, and none where there is no such type of record', async () => {
    const node = namehash(CAROL);
    const calls = [
      records.encodeFunctionData('addr(bytes32)', [node]),
      records.encodeFunctionData('pubkey', [node]),
      records.encodeFunctionData('text', [node, 'name']),
    ];
    const answer = await ask(CAROL, records.encodeFunctionData('multicall', [calls]));
    expect([...abi.decode(['bytes[]'], answer)[0]]).toEqual([
      abi.encode(['address'], [carolsAddress()]),
      '0x',
      abi.encode(['string'], ['carol@example.com']),
    ]);
    expect(await ask(CAROL, calls[1]!)).toBe('0x');
  });

  it('an answer may be kept by browsers and proxies for as long as it certainly counts', async () => {
    const data = resolver.interface.encodeFunctionData('resolve', [
      dnsEncode(CAROL),
      records.encodeFunctionData('text', [namehash(CAROL), 'url']),
    ]);
    const url = `${gateway.url}/ccip/${gateway.world.offchainResolver}/${data}.json`;
    const [first, again] = [await fetch(url, { headers: { origin: 'https://app.example' } }), await fetch(url)];
    expect(first.headers.get('access-control-allow-origin')).toBe('*');
    const [, seconds] = /^public, max-age=(\d+)$/.exec(first.headers.get('cache-control')!)!;
    const answer = (await first.json()) as { data: string };
    const expires = Number(abi.decode(['bytes', 'uint64', 'bytes'], answer.data)[1]);
    const left = expires - Date.now() / 1_000;
    expect(Number(seconds)).toBeGreaterThan(0);
    expect(Number(seconds)).toBeLessThanOrEqual(left / 2 + 1);
    expect(left).toBeLessThanOrEqual(300);
    expect(await again.json()).toEqual(answer);
  });
});

describe('the key that signs answers', () => {
  async function findings(resolver = gateway.world.offchainResolver): Promise<string[]> {
    const { settings, secrets, clock, crypto } = gateway.running.runtime;
    const { signerVersion, digest: form } = settings.ccipRead;
    const { rootSecret } = secrets;
    const options = { crypto, rootSecret, signerVersion, form, resolver, rootName: ROOT, now: clock.now() };
    const state = await readResolverState(clients.provider, options);
    const own = { resolver, publicUrl: gateway.url, signers: signers() };
    return checkResolver(state, own).map(({ level, code }) => `${level} ${code}`);
  }
  const seen = () => Promise.all(Object.values(clients.readers).map((reader) => reader.text(CAROL, 'name')));
  const NAMED = ['carol@example.com', 'carol@example.com'];

  it('changes without a gap, and is missed by nobody but the operator when the contract does not know it', async () => {
    await trust('previous', true);
    await trust('current', false);
    expect(await seen()).toEqual([null, null]);
    expect(await findings()).toEqual(['error CCIP_SIGNER', 'warning CCIP_FORMER_SIGNER', 'ok CCIP_URL']);

    await trust('current', true);
    expect(await seen()).toEqual(NAMED);
    expect(await findings()).toEqual(['ok CCIP_SIGNER', 'warning CCIP_FORMER_SIGNER', 'ok CCIP_URL']);

    await trust('previous', false);
    expect(await seen()).toEqual(NAMED);
    expect(await findings()).toEqual(['ok CCIP_SIGNER', 'ok CCIP_URL']);
  });

  it('is of no use where the contract leads elsewhere, or where there is none', async () => {
    const { offchainResolver, plainResolver } = gateway.world;
    await setUrls(gateway.deployer, { resolver: offchainResolver, urls: ['https://elsewhere.example/{data}'] });
    expect(await findings()).toEqual(['ok CCIP_SIGNER', 'error CCIP_URL']);
    await setUrls(gateway.deployer, { resolver: offchainResolver, urls: [ccipUrl(gateway.url)] });
    expect(await findings(plainResolver)).toEqual(['error NO_CCIP_RESOLVER']);
  });
});

describe('a client that looks up too much', () => {
  it('is told to come back later, while others are answered', async () => {
    const data = resolver.interface.encodeFunctionData('resolve', [
      dnsEncode(CAROL),
      records.encodeFunctionData('addr(bytes32)', [namehash(CAROL)]),
    ]);
    const lookUp = (client: string) =>
      fetch(`${gateway.url}/ccip/${gateway.world.offchainResolver}/${data}`, {
        headers: { 'x-forwarded-for': client },
      });
    let refused = await lookUp('203.0.113.9');
    // Twice as often as allowed: a new minute may begin in between.
    for (let times = 0; refused.status === 200 && times < 2 * LOOKUPS_A_MINUTE; times += 1) {
      refused = await lookUp('203.0.113.9');
    }
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ message: expect.stringMatching(/More than 300 lookups in a minute/) });
    expect((await lookUp('203.0.113.10')).status).toBe(200);
  });
});
