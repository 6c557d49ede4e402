import { isIPv6 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import type { Environment } from '../config/env.js';
import { configFile, loadConfig } from './start.command.js';

interface Options {
  readonly config?: string;
  readonly live: boolean;
  readonly wait: number;
}

interface Answer {
  readonly well: boolean;
  readonly words: string;
}

/** Longer than the parts of a gateway have to answer it. */
const PATIENCE_MS = 8_000;
const PAUSE_MS = 250;
/** To listen at any address is not an address to ask at. */
const ANY_ADDRESS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** `dm3-gateway health`: what Docker, systemd and scripts ask. */
export function healthCommand(env: Environment): Command {
  return new Command('health')
    .description('Ask the gateway of this machine, as its configuration says where it listens, whether it is ready.')
    .option('--config <file>', 'configuration file')
    .option('--live', 'ask only whether it runs', false)
    .option('--wait <seconds>', 'ask again for so long while it is not', seconds, 0)
    .addHelpText('after', '\nExit code: 0 if it is ready, 1 if it is not, does not answer or is not configured.')
    .action((options: Options) => run(options, env));
}

async function run({ config, live, wait }: Options, env: Environment): Promise<void> {
  const { http } = loadConfig(config ?? configFile(env), env).settings;
  const host = ANY_ADDRESS[http.host] ?? http.host;
  const url = `http://${isIPv6(host) ? `[${host}]` : host}:${http.port}/health/${live ? 'live' : 'ready'}`;
  const deadline = Date.now() + wait * 1_000;
  let answer = await ask(url);
  while (!answer.well && Date.now() < deadline) {
    await delay(PAUSE_MS);
    answer = await ask(url);
  }
  console.log(answer.words);
  process.exitCode = answer.well ? 0 : 1;
}

async function ask(url: string): Promise<Answer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    return inWords(await response.json());
  } catch (error) {
    return { well: false, words: `No answer at ${url}: ${reasonOf(error as Error)}.` };
  }
}

function reasonOf(error: Error): string {
  if (error instanceof SyntaxError) return 'what answers is not a gateway';
  return (error.cause as NodeJS.ErrnoException | undefined)?.code ?? error.name;
}

/** @param report of terminus, or `{status: 'ok'}` */
function inWords(report: unknown): Answer {
  const { status, details = {} } = report as { status?: string; details?: Record<string, { status?: string }> };
  if (status === 'ok') return { well: true, words: 'ok' };
  const broken = Object.entries(details).filter(([, part]) => part.status !== 'up');
  const parts = broken.map(([name]) => name).join(', ');
  return { well: false, words: parts === '' ? `Not ready: ${status}.` : `Not ready: ${parts}.` };
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 3_600)) throw new InvalidArgumentError('expected seconds, at most 3600.');
  return value;
}
