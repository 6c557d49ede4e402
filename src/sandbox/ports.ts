import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { GatewayError } from '../common/errors.js';
import { waitUntil } from './processes.js';

/** Everything of the sandbox listens here and nowhere else. */
export const LOOPBACK = '127.0.0.1';

export interface SandboxPorts {
  readonly http: number;
  readonly admin: number;
  readonly smtp: number;
  readonly chain: number;
  readonly capturedMail: number;
  readonly capturedSmtp: number;
}

/** Order is offset from the base; the text is how people know the port. */
const USES: Readonly<Record<keyof SandboxPorts, string>> = {
  http: 'HTTP',
  admin: 'admin',
  smtp: 'SMTP',
  chain: 'chain',
  capturedMail: 'captured mail',
  capturedSmtp: 'capturing SMTP',
};

export class PortBusyError extends GatewayError {
  constructor({ port, use }: { port: number; use: string }) {
    const message = `Port ${port} (${use}) is in use; free it or choose others with --port-base N.`;
    super({ code: 'PORT_BUSY', kind: 'unavailable', message, retryable: true, facts: { port, use } });
  }
}

export class PortBaseError extends GatewayError {
  constructor({ base, highest }: { base: number; highest: number }) {
    const message = `Port base ${base} does not do; choose a whole number from 1024 to ${highest} with --port-base N.`;
    super({ code: 'PORT_BASE_INVALID', kind: 'invalid-input', message, facts: { base } });
  }
}

/** A process is gone from sight a little before the kernel closes its ports. */
export const CLOSING_PATIENCE_MS = 2000;

/**
 * The sandbox's ports: `base` for HTTP, then one after the other. All are free at this moment.
 * @param options.patienceMs how long to wait for each of them
 * @throws PortBaseError, PortBusyError
 */
export async function choosePorts({ base, patienceMs }: PortChoice): Promise<SandboxPorts> {
  const names = Object.keys(USES) as (keyof SandboxPorts)[];
  const highest = 65_536 - names.length;
  if (!Number.isInteger(base) || base < 1024 || base > highest) throw new PortBaseError({ base, highest });
  for (const [offset, name] of names.entries()) {
    await requireFreePort({ port: base + offset, use: USES[name], patienceMs });
  }
  return Object.fromEntries(names.map((name, offset) => [name, base + offset])) as unknown as SandboxPorts;
}

interface PortChoice {
  readonly base: number;
  readonly patienceMs?: number;
}

/** Waits up to `patienceMs` for the port. @throws PortBusyError */
export async function requireFreePort({ port, use, patienceMs = 0 }: PortRequirement): Promise<void> {
  if (!(await waitUntil(() => isFree(port), patienceMs))) throw new PortBusyError({ port, use });
}

interface PortRequirement {
  readonly port: number;
  /** How people know the port, for the error. */
  readonly use: string;
  readonly patienceMs?: number;
}

async function isFree(port: number): Promise<boolean> {
  try {
    await listenOnce(port);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
}

/**
 * A port that nobody uses right now, and that no process is given a second time as long as this one lives. It lies below
 * those the system gives to outgoing connections, which would otherwise take it before it is opened.
 */
export async function freePort(draw = () => randomInt(10_000, 32_768)): Promise<number> {
  const port = draw();
  return (await reserve(port)) && (await isFree(port)) ? port : freePort(draw);
}

/** By a name in Linux's abstract namespace (unix(7)), which the kernel frees with the process. @returns false if taken */
async function reserve(port: number): Promise<boolean> {
  const server = net.createServer().listen(`\0dm3-gateway/port/${port}`);
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  server.unref();
  return true;
}

async function listenOnce(port: number): Promise<void> {
  const server = net.createServer().listen(port, LOOPBACK);
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}
