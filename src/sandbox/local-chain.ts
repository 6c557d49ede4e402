import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { GatewayError } from '../common/errors.js';
import { CLOSING_PATIENCE_MS, LOOPBACK, requireFreePort } from './ports.js';
import { commandLine, onParentExit, signal, waitUntil } from './processes.js';

export interface LocalChain {
  readonly rpcUrl: string;
  readonly chainId: number;
  /** Writes the state out and waits for the end of the node. */
  stop(): Promise<void>;
}

export interface ChainOptions {
  /** Kept between starts; `<stateFile>.previous` and `<stateFile>.pid` go beside it. */
  readonly stateFile: string;
  readonly port: number;
  readonly chainId: number;
  /** One line for the person at the console. */
  readonly log: (line: string) => void;
}

export class ChainUnsupportedError extends GatewayError {
  constructor({ cause }: { cause: unknown }) {
    const here = `${process.platform}-${process.arch}`;
    const message = `There is no local chain (anvil) for ${here}: it needs an \`npm install\` on x64 or arm64 that did not omit optional packages.`;
    super({ code: 'CHAIN_UNSUPPORTED', kind: 'unsupported', message, cause });
  }
}

export class ChainFailedError extends GatewayError {
  constructor({ step, output, cause }: { step: string; output: string; cause?: unknown }) {
    const message = `The local chain (anvil) did not ${step}: ${output.trim().split('\n')[0]}`;
    super({ code: 'CHAIN_FAILED', kind: 'unavailable', message, cause });
  }
}

const START_PATIENCE_MS = 20_000;
const STOP_PATIENCE_MS = 10_000;

/**
 * Starts a private Ethereum chain on loopback, going on from `stateFile`. The state is written every second and at the
 * end. An anvil left behind by a killed process is stopped first, which has it write its state.
 * @throws ChainUnsupportedError, PortBusyError, ChainFailedError
 */
export async function startChain({ stateFile, port, chainId, log }: ChainOptions): Promise<LocalChain> {
  const program = anvil();
  const stopped = await stopOrphanedChain({ stateFile });
  await requireFreePort({ port, use: 'chain', patienceMs: stopped ? CLOSING_PATIENCE_MS : 0 });
  fs.mkdirSync(path.dirname(stateFile), { recursive: true });
  secureState(stateFile, log);
  const node = await launch(program, { stateFile, port, chainId });
  const rpcUrl = `http://${LOOPBACK}:${port}`;
  await ready(node, rpcUrl, chainId);
  const forget = onParentExit(() => node.child.kill('SIGTERM'));
  const stop = async () => {
    await end(node.child);
    fs.rmSync(pidFile(stateFile), { force: true });
    forget();
  };
  return { rpcUrl, chainId, stop };
}

function anvil(): string {
  const require = createRequire(import.meta.url);
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  try {
    const beside = createRequire(require.resolve('@foundry-rs/anvil/package.json'));
    return beside.resolve(`@foundry-rs/anvil-${process.platform}-${arch}/bin/anvil`);
  } catch (cause) {
    throw new ChainUnsupportedError({ cause });
  }
}

const pidFile = (stateFile: string) => `${stateFile}.pid`;

/** Stops an anvil that a killed process left running on `stateFile`. Returns whether there was one. */
export async function stopOrphanedChain({ stateFile }: Pick<ChainOptions, 'stateFile'>): Promise<boolean> {
  const file = pidFile(stateFile);
  if (!fs.existsSync(file)) return false;
  const pid = Number(fs.readFileSync(file, 'utf8'));
  const runs = () => commandLine(pid)?.includes(path.resolve(stateFile)) ?? false; // the pid may be another program's by now
  const found = runs();
  if (found) signal(pid, 'SIGTERM');
  if (!(await waitUntil(() => !runs(), STOP_PATIENCE_MS))) signal(pid, 'SIGKILL');
  fs.rmSync(file, { force: true });
  return found;
}

/** anvil rewrites its file in place, so a kill or a power cut may leave half of it: a whole one is copied at each start. */
function secureState(stateFile: string, log: (line: string) => void): void {
  const previous = `${stateFile}.previous`;
  if (!fs.existsSync(stateFile)) return;
  if (isWhole(stateFile)) return copyWhole(stateFile, previous);
  const kept = fs.existsSync(previous) && isWhole(previous);
  log(
    `The chain's state in ${stateFile} was cut short: ${kept ? 'going on from the last start' : 'beginning a new chain'}.`,
  );
  if (kept) copyWhole(previous, stateFile);
  else fs.rmSync(stateFile);
}

function isWhole(file: string): boolean {
  try {
    JSON.parse(fs.readFileSync(file, 'utf8'));
    return true;
  } catch {
    return false;
  }
}

function copyWhole(from: string, to: string): void {
  fs.copyFileSync(from, `${to}.new`);
  fs.renameSync(`${to}.new`, to);
}

interface Node {
  readonly child: ChildProcess;
  readonly logFile: string;
}

async function launch(program: string, options: Omit<ChainOptions, 'log'>): Promise<Node> {
  const { stateFile, port, chainId } = options;
  const logFile = `${stateFile}.log`;
  const logFd = fs.openSync(logFile, 'w', 0o600);
  const where = ['--host', LOOPBACK, '--port', String(port), '--chain-id', String(chainId), '--quiet'];
  const state = ['--state', path.resolve(stateFile), '--state-interval', '1'];
  // Detached: Ctrl-C goes to the whole process group, and the chain must outlive whoever still asks it.
  const child = spawn(program, [...where, ...state], { stdio: ['ignore', logFd, logFd], detached: true });
  fs.closeSync(logFd);
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new ChainFailedError({ step: 'run on this machine', output: (cause as Error).message, cause });
  }
  fs.writeFileSync(pidFile(stateFile), String(child.pid));
  return { child, logFile };
}

async function ready({ child, logFile }: Node, rpcUrl: string, chainId: number): Promise<void> {
  const settled = await waitUntil(
    async () => hasEnded(child) || (await chainIdOf(rpcUrl)) === chainId,
    START_PATIENCE_MS,
  );
  if (settled && !hasEnded(child)) return;
  child.kill('SIGKILL');
  throw new ChainFailedError({ step: 'start', output: fs.readFileSync(logFile, 'utf8') });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Returns null while nobody answers. */
async function chainIdOf(rpcUrl: string): Promise<number | null> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] });
  const headers = { 'content-type': 'application/json' };
  try {
    const response = await fetch(rpcUrl, { method: 'POST', headers, body, signal: AbortSignal.timeout(2000) });
    return Number(((await response.json()) as { result: string }).result);
  } catch {
    return null;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  child.kill('SIGTERM'); // has it write its state
  if (!(await waitUntil(() => hasEnded(child), STOP_PATIENCE_MS))) child.kill('SIGKILL');
}
