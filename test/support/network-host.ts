// A process that runs nothing but the connection to the fake network (`network-host-process.ts` starts it).
import { appendFileSync } from 'node:fs';
import { coreSchema, type SettingsInput } from '../../src/config/settings.js';
import { createRuntime, startGateway } from '../../src/main.js';
import { KILL_HOOK } from '../../src/ops/kill-points.js';
import type { Rendering } from '../../src/gateway/adapter/adapter.js';
import { createLogger } from '../../src/ops/event-log.js';
import { FakeNetwork, type FakeLetter } from '../contract/fake-network.js';
import type { Mood } from '../contract/adapter-contract.js';

/** What it is started with. */
export interface HostOrder {
  readonly settings: SettingsInput;
  readonly rootSecret: string;
  readonly storageKey: string;
  /** Whatever arrives on the far side is written there at once, a line each. */
  readonly arrivals: string;
  /** Where it ends itself. */
  readonly killAt: string | null;
}

export type HostCall =
  | { readonly call: 'start'; readonly order: HostOrder }
  | { readonly call: 'mood'; readonly name: string; readonly mood: Mood }
  | { readonly call: 'write'; readonly letter: FakeLetter }
  | { readonly call: 'stop' };

/** The far side outlives this process in a file. Its connection belongs to one process at a time. */
class RecordedNetwork extends FakeNetwork {
  readonly exclusive = 'stand-by';
  file = '';

  override async send(rendering: Rendering): Promise<void> {
    await super.send(rendering);
    appendFileSync(this.file, `${Buffer.from(rendering.body).toString()}\n`);
  }
}

const fake = new RecordedNetwork();
let stop = async (): Promise<void> => {};

async function start({ settings, rootSecret, storageKey, arrivals, killAt }: HostOrder): Promise<void> {
  fake.file = arrivals;
  const hook = (point: string): void => void (point === killAt && process.kill(process.pid, 'SIGKILL'));
  (globalThis as { [KILL_HOOK]?: typeof hook })[KILL_HOOK] = hook;
  const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
  const secrets = {
    rootSecret: bytes(rootSecret),
    storageKeys: [{ id: 1, key: bytes(storageKey) }] as const,
  };
  const networks = { others: [{ adapter: fake, codec: fake.codec }] };
  const parsed = { ...coreSchema.parse(settings), roles: ['fake'] };
  const gateway = await startGateway(await createRuntime(parsed, secrets, networks, createLogger({ level: 'warn' })));
  stop = () => gateway.stop();
}

async function obey(order: HostCall): Promise<unknown> {
  if (order.call === 'start') return start(order.order);
  if (order.call === 'mood') return fake.setMood(order.name, order.mood);
  if (order.call === 'write') return fake.write(order.letter);
  return stop();
}

process.on('message', ({ id, order }: { id: number; order: HostCall }) => {
  void obey(order).then(
    (result) => process.send!({ id, result: result ?? null }),
    (error: Error) => process.send!({ id, error: error.message }),
  );
});
process.on('disconnect', () => process.exit());
