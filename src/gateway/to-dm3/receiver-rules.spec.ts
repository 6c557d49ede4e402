import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import type { EnsName, EthAddress, ForeignAddress, NetworkId, RemoteId } from '../../common/ids.js';
import type { AccountService } from '../../delivery/accounts/account.service.js';
import { SpamRefusedError } from '../../delivery/spam/errors.js';
import type { SpamGuard } from '../../delivery/spam/spam-guard.js';
import { NamingUnavailableError, ProfileNotFoundError } from '../../naming/errors.js';
import type { ForeignMessage } from '../adapter/adapter.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { MessageStore } from '../messages/message.store.js';
import { ReceiverRules } from './receiver-rules.js';

const FAKE = 'fake' as NetworkId;
const [BOB, DORA, EVE] = [addressOf('b'), addressOf('d'), addressOf('e')];
const signing = { publicKey: Uint8Array.of(1) };
const GHOST = { name: 'carol.fake.gateway.eth' as EnsName, address: addressOf('c'), network: FAKE } as Ghost;
const refusal = new SpamRefusedError({ broken: { rule: 'block' } });

const check = jest.fn<SpamGuard['check']>();
const hasWritten = jest.fn<MessageStore['hasWritten']>(async () => true);
let profileOf: jest.Mock<(name: EnsName, address: EthAddress) => Promise<unknown>>;
let elsewhere: EthAddress[];
let rules: ReceiverRules;
beforeEach(() => {
  check.mockReset().mockResolvedValue();
  elsewhere = [];
  profileOf = jest.fn(async (_: EnsName, address: EthAddress) => ({ profile: { address } }));
  const accounts = {
    profileOf,
    listsNoOther: ({ address }: { address: EthAddress }) => !elsewhere.includes(address),
  } as unknown as Pick<AccountService, 'profileOf' | 'listsNoOther'>;
  const ghosts = { currentKeys: async () => ({ keys: { signing } }) } as unknown as Pick<GhostService, 'currentKeys'>;
  rules = new ReceiverRules({ db: {} as never, accounts, spam: { check }, ghosts, messages: { hasWritten } as never });
});

const message = (...receivers: EthAddress[]): ForeignMessage => ({
  network: FAKE,
  remoteId: 'r' as RemoteId,
  from: 'fake:carol' as ForeignAddress,
  identity: { verdict: 'unverified', detail: '' },
  to: receivers.map((address) => ({ name: `${address}.eth` as EnsName, address, sizeLimit: null })),
  message: { type: 'new', text: 'hi', attachments: [], sentAt: 0 },
  dedup: 'd',
  inReplyTo: [],
  conversation: {},
});
const refusedBy = (...receivers: EthAddress[]) =>
  check.mockImplementation(async ({ receiver }) => {
    if (receivers.includes(receiver)) throw refusal;
  });

describe('ReceiverRules', () => {
  it('asks with what delivery will ask with', async () => {
    await rules.check(message(BOB), GHOST);
    const sender = { name: GHOST.name, address: GHOST.address, signingKey: signing.publicKey };
    const origin = { network: FAKE, authenticated: false, isKnown: expect.any(Function) };
    expect(check.mock.calls).toEqual([[{ receiver: BOB, from: GHOST.name, sender, origin }]]);
    const { origin: asked } = check.mock.calls[0]![0];
    expect(typeof asked === 'object' && (await asked.isKnown())).toBe(true);
    expect(hasWritten).toHaveBeenCalledWith(expect.anything(), BOB, GHOST.address);
  });

  it('refuses where every receiver does, and lets the others be where one does not', async () => {
    refusedBy(BOB, DORA);
    await expect(rules.check(message(BOB, DORA), GHOST)).rejects.toBe(refusal);
    await rules.check(message(BOB, EVE), GHOST);
    await rules.check(message(EVE, BOB), GHOST);
  });

  it('does not speak for a receiver who has another delivery service, too', async () => {
    refusedBy(BOB);
    elsewhere = [BOB];
    await rules.check(message(BOB), GHOST);
    expect(check).not.toHaveBeenCalled();
  });

  it('leaves to delivery whoever cannot be looked up just now, and refuses whoever has no profile', async () => {
    refusedBy(BOB);
    const missing = new ProfileNotFoundError({ name: 'bob.eth' as EnsName });
    profileOf.mockRejectedValueOnce(new NamingUnavailableError({ subject: 'The chain', reason: 'it is down' }));
    await rules.check(message(BOB), GHOST);
    expect(check).not.toHaveBeenCalled();
    profileOf.mockRejectedValueOnce(missing);
    await expect(rules.check(message(BOB), GHOST)).rejects.toBe(missing);
  });

  it('takes nothing over while a rule cannot be asked', async () => {
    const unavailable = new NamingUnavailableError({ subject: 'The chain', reason: 'it is down' });
    check.mockRejectedValueOnce(unavailable);
    await expect(rules.check(message(BOB, DORA), GHOST)).rejects.toBe(unavailable);
  });
});
