import { Command } from 'commander';
import { GatewayError } from '../common/errors.js';
import type { Environment } from '../config/env.js';
import type { MessageTrace } from '../gateway/admin/admin.service.js';
import type { HistoryEntry } from '../gateway/messages/message.store.js';
import { asOperator } from './operator.js';
import { second } from './words.js';

class MessageUnknownError extends GatewayError {
  constructor() {
    const message =
      'No message is known by this id. Give the id that SMTP answered, a dm3 hash (0x…), a Message-ID (<…@…>, in quotes) or an event id; messages are remembered for delivery.mapDays days.';
    super({ code: 'MESSAGE_UNKNOWN', kind: 'not-found', message });
  }
}

/** `dm3-gateway trace`: what became of a message. */
export function traceCommand(env: Environment): Command {
  return new Command('trace')
    .description('Show what became of a message: its state, every attempt with its answer, and when it is tried next.')
    .argument('<id>', "the gateway's own id, a dm3 hash, a Message-ID or a Matrix event id")
    .option('--config <file>', 'configuration file')
    .option('--json', 'as JSON')
    .action(async (id: string, options: { config?: string; json?: boolean }) => {
      const trace = await asOperator(env, options, ({ admin }) => admin.message(id));
      if (!trace) throw new MessageUnknownError();
      console.log(options.json ? JSON.stringify(trace, null, 2) : story(trace));
    });
}

const DIRECTIONS = {
  'to-dm3': (network: string) => `from ${network} to dm3`,
  'from-dm3': (network: string) => `from dm3 to ${network}`,
  notice: (network: string) => `a notice to somebody on ${network}`,
} as const;

function story(trace: MessageTrace): string {
  const { id, direction, network, state, code, queue } = trace;
  const lines = [`${id}  ${DIRECTIONS[direction](network)}: ${state}${code ? ` (${code})` : ''}`, ''];
  for (const { at, text } of moments(trace)) lines.push(`  ${second(at)}  ${text}`);
  if (queue?.nextAt) {
    lines.push('', `  ${next(queue.nextAt)}, attempt ${queue.attempt + 1}; given up at ${second(queue.expiresAt)}.`);
  }
  if (state === 'failed') lines.push('', `  Try it again with: dm3-gateway queue retry ${id}`);
  for (const other of trace.others) lines.push('', `  The same id also stands for ${other}.`);
  return lines.join('\n');
}

function moments({ acceptedAt, frozenAt, settledAt, state, attempts, history }: MessageTrace) {
  return [
    { at: acceptedAt, text: 'accepted' },
    ...(frozenAt ? [{ at: frozenAt, text: 'made ready: every attempt sends the same bytes' }] : []),
    ...history.map((entry) => ({ at: entry.at, text: happened(entry) })),
    ...(state === 'delivered' && settledAt ? [{ at: settledAt, text: `delivered, attempt ${attempts}` }] : []),
  ].sort((a, b) => a.at.getTime() - b.at.getTime());
}

function happened({ event, attempt, code, answer, nextAt }: HistoryEntry): string {
  const said = answer ? `: ${answer}` : '';
  if (event === 'attempt-failed')
    return `attempt ${attempt} failed, ${code}${said} (again ${nextAt ? second(nextAt) : 'later'})`;
  if (event === 'failed') return `failed for good, ${code}${said}`;
  return {
    'delay-told': 'its author was told that it waits',
    retried: 'put back by an operator',
    discarded: 'given up by an operator',
  }[event];
}

function next(at: Date): string {
  return at.getTime() <= Date.now() ? 'Due now, or under way' : `Next at ${second(at)}`;
}
