import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort, LOOPBACK } from '../../src/sandbox/ports.js';
import type { Mood } from '../contract/adapter-contract.js';
import type { FakeLetter, FakeParcel } from '../contract/fake-network.js';
import type { HostCall } from './network-host.js';
import type { TestGateway } from './test-gateway.js';

const fileOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** A process of its own with the connection to the fake network, over the database of a gateway in this one. */
export class NetworkHostProcess {
  #calls = 0;

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  /** Ready. @param arrivals file with what has arrived on the far side, over all such processes */
  static async start(
    world: TestGateway,
    { arrivals, killAt = null }: { arrivals: string; killAt?: string | null },
  ): Promise<NetworkHostProcess> {
    const args = [
      '--import',
      fileOf('as-built.mjs'),
      '--disable-warning=ExperimentalWarning',
      fileOf('network-host.ts'),
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const port = await freePort();
    const host = new NetworkHostProcess(child, `http://${LOOPBACK}:${port}`);
    const { rootSecret, storageKeys } = world.running.runtime.secrets;
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    const settings = { ...world.settings, http: { ...world.settings.http, port } };
    const secrets = { rootSecret: hex(rootSecret), storageKey: hex(storageKeys[0].key) };
    await host.#call({ call: 'start', order: { settings, ...secrets, arrivals, killAt } });
    return host;
  }

  setMood(name: string, mood: Mood): Promise<unknown> {
    return this.#call({ call: 'mood', name, mood });
  }

  /** Somebody on the network writes to a dm3 user. */
  write(letter: FakeLetter): Promise<unknown> {
    return this.#call({ call: 'write', letter });
  }

  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  /** As SIGTERM has it done. */
  async stop(): Promise<void> {
    await this.#call({ call: 'stop' });
    await this.kill();
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = this.ended();
    this.child.kill('SIGKILL');
    await ended;
  }

  /** When it has ended by itself. */
  async ended(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
  }

  async #call(order: HostCall): Promise<unknown> {
    const id = (this.#calls += 1);
    const answer = new Promise<unknown>((resolve, reject) => {
      const onAnswer = (message: { id: number; result?: unknown; error?: string }): void => {
        if (message.id !== id) return;
        this.child.off('message', onAnswer);
        if (message.error === undefined) resolve(message.result);
        else reject(new Error(message.error));
      };
      this.child.on('message', onAnswer);
      this.child.once('exit', () => reject(new Error('The process that ran the network has ended.')));
    });
    this.child.send({ id, order });
    return answer;
  }
}

/** What has arrived on the far side, in order; a repeat is there again. */
export function arrivalsIn(file: string): FakeParcel[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as FakeParcel);
}
