import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import type { EnsName, EthAddress, ForeignAddress, Hash, MessageId, NetworkId } from '../../common/ids.js';
import type { CheckedEnvelope } from '../../delivery/submission/destination.js';
import type { Tx } from '../../storage/database.js';
import { RelayRefusedError } from '../adapter/errors.js';
import type { AdapterRegistry } from '../adapters.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { SignedLink } from '../links/link.js';
import type { MessageTraceStore } from '../messages/message-trace.store.js';
import type { MessageStore } from '../messages/message.store.js';
import { ITEM, type MessageQueue } from '../messages/queue.js';
import { GatewayDestination } from './gateway-destination.js';

const FAKE = 'fake' as NetworkId;
const TX = {} as Tx;
const ID = 'id' as MessageId;
const ghost = (name: string, digit: string): Ghost =>
  ({
    name: `${name}.fake.gateway.eth`,
    address: addressOf(digit),
    network: FAKE,
    foreign: `fake:${name}` as ForeignAddress,
  }) as Ghost;
const [CAROL, DORA] = [ghost('carol', 'c'), ghost('dora', 'd')];
const GHOSTS = [CAROL, DORA];

const remember = jest.fn<GhostService['remember']>(async () => {});
const add = jest.fn<MessageStore['add']>(async () => true);
const toForeign = jest.fn<MessageQueue['toForeign']>(async () => {});
let destination: GatewayDestination;
/** Of whichever ghost writes. */
let link: SignedLink | null;
beforeEach(() => {
  for (const each of [remember, add, toForeign]) each.mockClear();
  const ghosts = {
    byName: async (name: EnsName) => GHOSTS.find((each) => each.name === name) ?? null,
    byAddress: async (address: EthAddress) => GHOSTS.find((each) => each.address === address) ?? null,
    remember,
  } as unknown as GhostService;
  const adapters = { of: () => ({ destinationOf: () => 'harbour' }) } as unknown as AdapterRegistry;
  const [messages, queue] = [{ add }, { toForeign }] as unknown as [MessageStore, MessageQueue];
  link = null;
  const links = { recorded: async () => link };
  const trace = { add: async () => {} } as unknown as MessageTraceStore;
  destination = new GatewayDestination({ ghosts, links, adapters, messages, trace, queue });
});

const checked = (sender: EthAddress): CheckedEnvelope => ({
  envelope: { message: 'm', metadata: { deliveryInformation: 'd', signature: 's' } },
  deliveryInformation: { to: 'a name', from: 'another' },
  encryptedMessageHash: '0x12' as Hash,
  receiver: { name: CAROL.name, address: CAROL.address },
  sender: { name: 'somebody.eth' as EnsName, address: sender, signingKey: Uint8Array.of(1) },
});
const claim = async () => (await destination.claim({ name: CAROL.name, address: null }))!;

describe('GatewayDestination', () => {
  it('claims what is for a ghost, by its name or its address, and nothing else', async () => {
    expect((await claim()).address).toBe(CAROL.address);
    const name = 'pointed-at-dora.eth' as EnsName;
    expect((await destination.claim({ name, address: DORA.address }))!.address).toBe(DORA.address);
    expect(await destination.claim({ name, address: addressOf('b') })).toBeNull();
    expect(await destination.claim({ name, address: null })).toBeNull();
  });

  it('queues what a dm3 user writes', async () => {
    await (await claim()).accept(TX, ID, checked(addressOf('b')));
    const row = { id: ID, direction: 'from-dm3', network: FAKE, identity: addressOf('b'), ghost: CAROL.address };
    expect(add).toHaveBeenCalledWith(TX, expect.objectContaining(row));
    const lane = { from: addressOf('b'), to: CAROL.address, network: FAKE, destination: 'harbour' };
    expect(toForeign).toHaveBeenCalledWith(TX, ID, ITEM.fromDm3, lane);
    expect(remember).toHaveBeenCalledWith(TX, CAROL);
  });

  it('takes what another ghost writes for the dm3 name it is linked with', async () => {
    link = { main: 'bob.eth', owner: addressOf('b') } as SignedLink;
    await (await claim()).accept(TX, ID, checked(DORA.address));
    const payload = expect.objectContaining({ writesAs: 'bob.eth' });
    expect(add).toHaveBeenCalledWith(TX, expect.objectContaining({ identity: addressOf('b'), payload }));
    expect(toForeign).toHaveBeenCalledWith(TX, ID, ITEM.fromDm3, expect.objectContaining({ from: addressOf('b') }));
  });

  it('takes nothing from another ghost that is not linked, whose mail came to a name that was pointed here since', async () => {
    await expect((await claim()).accept(TX, ID, checked(DORA.address))).rejects.toThrow(RelayRefusedError);
    for (const each of [remember, add, toForeign]) expect(each).not.toHaveBeenCalled();
  });
});
