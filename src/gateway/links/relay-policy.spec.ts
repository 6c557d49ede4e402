import { beforeEach, describe, expect, it } from '@jest/globals';
import type { EnsName, EthAddress, ForeignAddress } from '../../common/ids.js';
import { InvalidForeignAddressError } from '../../naming/alias/codec.js';
import { NamingUnavailableError, ProfileNotFoundError } from '../../naming/errors.js';
import type { ProfileWithKeys } from '../../delivery/accounts/account.service.js';
import type { SenderIdentity, Target } from '../adapter/adapter.js';
import { RelayRefusedError } from '../adapter/errors.js';
import type { Ghost } from '../ghosts/ghost.service.js';
import type { SignedLink } from './link.js';
import { RelayPolicy } from './relay-policy.js';

const ALICE = 'mailto:alice@example.org' as ForeignAddress;
const LINKED = { main: 'alice.eth', owner: `0x${'a'.repeat(40)}` } as SignedLink;
const BOB = { name: 'bob.eth' } as Target;
const STRANGER = { name: 'x._at.victim.com.email.gateway.eth' } as Target;

let link: () => Promise<SignedLink | null>;
let profile: () => Promise<ProfileWithKeys>;
const policy = new RelayPolicy({
  ghosts: {
    ofForeign: (foreign) => {
      if (!foreign.includes('@')) throw new InvalidForeignAddressError({ address: foreign, reason: 'is none' });
      return { foreign, address: '0x1' as EthAddress } as Ghost;
    },
    byName: async (name: EnsName) => (name === STRANGER.name ? ({ name } as Ghost) : null),
  },
  links: { ofGhost: () => link() },
  accounts: { profileOf: () => profile() },
});

beforeEach(() => {
  link = async () => LINKED;
  profile = async () => ({}) as ProfileWithKeys;
});

const check = (to: Target[], verdict: SenderIdentity['verdict'] = 'verified') =>
  policy.check({ from: ALICE, identity: { verdict, detail: '' }, to });

describe('RelayPolicy', () => {
  it('lets everybody write to people of dm3', async () => {
    link = async () => null;
    await expect(check([BOB], 'unverified')).resolves.toBeUndefined();
  });

  it('lets verified people who are linked write to another network', async () => {
    await expect(policy.checkSender(ALICE)).resolves.toBeUndefined();
    await expect(check([BOB, STRANGER])).resolves.toBeUndefined();
  });

  it.each(['unverified', 'forged'] as const)('refuses them when they are %s', async (verdict) => {
    await expect(check([BOB, STRANGER], verdict)).rejects.toThrow(RelayRefusedError);
  });

  it('refuses whoever is not linked, or says nothing of himself', async () => {
    await expect(policy.checkSender(undefined)).rejects.toThrow(RelayRefusedError);
    await expect(policy.checkSender('mailto:' as ForeignAddress)).rejects.toThrow(RelayRefusedError);
    link = async () => null;
    await expect(policy.checkSender(ALICE)).rejects.toThrow(RelayRefusedError);
    await expect(check([STRANGER])).rejects.toThrow(RelayRefusedError);
  });

  it('refuses people whose name could not be answered', async () => {
    profile = () => Promise.reject(new ProfileNotFoundError({ name: LINKED.main }));
    await expect(check([STRANGER])).rejects.toThrow(RelayRefusedError);
  });

  it('asks to come back while nobody can tell', async () => {
    const unavailable = new NamingUnavailableError({ subject: 'alice.eth', reason: 'the chain is down' });
    profile = () => Promise.reject(unavailable);
    await expect(check([STRANGER])).rejects.toBe(unavailable);
    link = () => Promise.reject(unavailable);
    await expect(policy.checkSender(ALICE)).rejects.toBe(unavailable);
  });
});
