import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

/** An empty chain of one test's own, in memory. */
export interface LocalChain {
  readonly rpcUrl: string;
  readonly chainId: number;
  /** Private keys of accounts with plenty of ether: anvil's well-known ones. */
  readonly privateKeys: readonly [string, string];
  stop(): Promise<void>;
}

const CHAIN_ID = 31337;
const KEYS = [
  '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
  '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d',
] as const;

/** Starts anvil on a free port; about 100 ms. */
export async function startLocalChain(): Promise<LocalChain> {
  const child = spawn(anvilBinary(), ['--port', '0', '--chain-id', String(CHAIN_ID)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const rpcUrl = `http://${await listeningAddress(child)}`;
  return { rpcUrl, chainId: CHAIN_ID, privateKeys: KEYS, stop: () => stop(child) };
}

function anvilBinary(): string {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  return createRequire(import.meta.url).resolve(`@foundry-rs/anvil-${process.platform}-${arch}/bin/anvil`);
}

async function listeningAddress(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const match = /Listening on (\S+)/.exec(line);
    if (match) {
      child.stdout!.resume(); // anvil logs every call; a full pipe would stop it
      return match[1]!;
    }
  }
  throw new Error('anvil ended before it listened.');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill();
  await ended;
}
