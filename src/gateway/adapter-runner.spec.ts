import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { FakeNetwork } from '../../test/contract/fake-network.js';
import { eventually } from '../../test/support/eventually.js';
import { openTestStorage, type TestStorage } from '../../test/support/storage.js';
import type { RemoteId } from '../common/ids.js';
import { Roles } from '../config/roles.js';
import { silentLog } from '../ops/event-log.js';
import { Database } from '../storage/database.js';
import type { GatewayPort, Rendering } from './adapter/adapter.js';
import { AdapterRunner } from './adapter-runner.js';
import { AdapterRegistry } from './adapters.js';

let storage: TestStorage;
beforeAll(async () => void (storage = await openTestStorage('runner')));
afterAll(() => storage.close());

const stops: (() => Promise<void>)[] = [];
afterEach(async () => void (await Promise.all(stops.splice(0).map((each) => each()))));

const port = {} as GatewayPort;
/** In whichever process: those that run now, the most that did so at once, and how often one began. */
const running = new Set<FakeNetwork>();
let most = 0;
let begun = 0;

class CountedNetwork extends FakeNetwork {
  constructor(readonly exclusive?: 'refuse' | 'stand-by') {
    super('counted');
  }

  override async start(to: GatewayPort): Promise<void> {
    running.add(this);
    begun += 1;
    most = Math.max(most, running.size);
    await super.start(to);
  }

  override async stop(): Promise<void> {
    running.delete(this);
    await super.stop();
  }
}

async function stop(runner: AdapterRunner): Promise<void> {
  await Promise.all(runner.doors().map(([, close]) => close()));
}

/** What one process does about the network. */
async function processWith(roles: readonly string[], exclusive?: 'refuse' | 'stand-by') {
  const db = new Database({ ...storage.db.options, lockSeconds: 1 });
  const adapters = new AdapterRegistry();
  const network = new CountedNetwork(exclusive);
  const runner = new AdapterRunner({ adapters, roles: new Roles(roles), db, remote: null, log: silentLog });
  runner.add(network);
  stops.push(() => stop(runner));
  const health = async () => (await runner.probes()[0]?.check()) ?? null;
  return { runner, network, seen: adapters.of(network.network), health, start: () => runner.start(port) };
}

async function letter(network: FakeNetwork): Promise<Rendering> {
  const parcel = { id: 'one' as RemoteId, to: network.address('olga'), text: 'hello' };
  return { remoteIds: [parcel.id], body: Buffer.from(JSON.stringify(parcel)), conversation: {} };
}

describe('a network that may run anywhere', () => {
  it('runs where its role is, and sends everywhere', async () => {
    const [own, foreign] = [await processWith(['counted']), await processWith(['worker'])];
    for (const each of [own, foreign]) {
      await each.start();
      expect(each.seen).toBe(each.network);
      await each.seen.send(await letter(each.network));
    }
    expect([await own.health(), await foreign.health()]).toEqual([{ up: true }, null]);
    await stop(own.runner);
    expect(await own.health()).toMatchObject({ up: false });
  });
});

describe('a network that belongs to one process at a time', () => {
  it('is no business of a worker without its role, which could never send', async () => {
    await expect(processWith(['worker'], 'refuse')).rejects.toThrow(/give this worker that role, too, or set "broker"/);
    await expect(processWith(['api'], 'refuse')).resolves.toBeDefined();
  });

  it('runs in one, while the other stands by and sends nothing', async () => {
    const [first, second] = [await processWith(['all'], 'stand-by'), await processWith(['all'], 'stand-by')];
    await first.start();
    await second.start();
    expect(await first.health()).toEqual({ up: true });
    expect(await second.health()).toEqual({ up: true, detail: 'Standing by; another process runs it.' });
    await first.seen.send(await letter(first.network));
    await expect(second.seen.send(await letter(second.network))).rejects.toMatchObject({
      code: 'NETWORK_UNAVAILABLE',
      retryable: true,
    });
    expect([first.network.arrived.length, second.network.arrived.length]).toEqual([1, 0]);
    expect(first.seen.formatAddress(first.network.address('olga'))).toBe('olga');

    await stop(first.runner);
    await eventually('the second', async () => (await second.health())?.detail === undefined);
    await second.seen.send(await letter(second.network));
    expect(second.network.arrived).toHaveLength(1);
  });

  it('never runs in two, also when the database cuts the holder off', async () => {
    const both = [await processWith(['all'], 'stand-by'), await processWith(['all'], 'stand-by')];
    most = 0;
    for (const each of both) await each.start();
    for (let round = 0; round < 3; round += 1) {
      const before = begun;
      await storage.db.query(`SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database
        WHERE locktype = 'advisory' AND d.datname = current_database() AND pid <> pg_backend_pid()`);
      await eventually('somebody to run it again', async () => begun > before && running.size === 1);
    }
    expect(most).toBe(1);
  });

  it('is refused a second process where it cannot move', async () => {
    const [first, second] = [await processWith(['all'], 'refuse'), await processWith(['all'], 'refuse')];
    await first.start();
    await expect(second.start()).rejects.toMatchObject({ code: 'NETWORK_TAKEN' });
    await stop(first.runner);
    await second.start();
    expect(await second.health()).toEqual({ up: true });
  });
});
