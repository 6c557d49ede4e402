// What `npm run bench` runs: our throughput beside floors that are measured in the same run (docs/performance.md).
import os from 'node:os';
import { parseArgs } from 'node:util';
import { buildIfStale } from '../scripts/build.mjs';
import { printSection } from './table.mjs';

const HELP = `Usage: npm run bench [-- --quick] [--full] [--json]
                            [--only crypto|submit|mail|mailbox|queue|recovery|purge|stall|start|ccip|matrix|soak|depth|matrix-start]

  --quick   fewer and shorter rounds: half of the four minutes
  --full    fills the databases of the sections mailbox, queue and purge with a million messages in place of a tenth,
            and removes a million rows in the last; brings a hundred thousand events in the section matrix; takes many
            minutes more
  --only    one section:
              crypto  opening, verifying and postmarking an envelope: sodium, noble, the dm3 libraries
              submit  dm3_submitMessage over HTTP against the least that a durable service has to do
              mail    mail over SMTP against a server that only parses it
              ccip    signed answers to lookups of our names, asked for again and new
              matrix  events that a homeserver brings: times at 50 a second, memory, starting with many rooms
              matrix-start (only when named) the last of it alone
              mailbox reading, acknowledging and submitting with much in the mailbox and in the database
              queue   claiming, settling and enqueueing with little and much in the queue, and beside a dead destination;
                      what the time of one worker process and of two goes into
              depth   (only when named) of these, claiming and enqueueing with little and much
              recovery a worker killed with 10,000 messages waiting, and how soon the next one delivers
              soak    (only when named) an hour of filling and emptying the queue, or --minutes of it
              purge   submitting while what has outlived its time is removed
              stall   how long the event loop stands still for a large envelope
              start   how long "dm3-gateway start" takes, and its memory
  --json    the figures as JSON on standard output

It needs no network and no set-up: PostgreSQL, a local chain and all load run on this machine, in a temporary folder.
`;

const SECTIONS = [
  'crypto',
  'submit',
  'mail',
  'ccip',
  'mailbox',
  'queue',
  'recovery',
  'purge',
  'stall',
  'start',
  'matrix',
];
/** Too long for a run of all, or a part of another one. */
const ON_REQUEST = ['soak', 'depth', 'matrix-start'];

const FULL = { rounds: 5, seconds: 3, count: { submit: 2_500, mail: 300, ccip: 8_000 }, cryptoMs: 400 };
const QUICK = { rounds: 1, seconds: 2, count: { submit: 400, mail: 100, ccip: 4_000 }, cryptoMs: 100 };

async function main() {
  const { quick, full, json, only, minutes } = readOptions();
  await buildIfStale();
  const results = { machine: machine(), quick };
  const report = (section) => {
    results[section.name] = section.figures;
    if (!json) printSection(section);
  };
  await measure(only ? [only] : SECTIONS, { ...(quick ? QUICK : FULL), quick, full, minutes }, report);
  if (json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
}

/** Imported late: the build may have just made what they import. */
async function measure(sections, plan, report) {
  if (sections.includes('crypto')) report(await (await import('./crypto.mjs')).measureCrypto(plan));
  const served = sections.filter((name) => name !== 'crypto');
  if (served.length === 0) return;
  const { openStage } = await import('./stage.mjs');
  const stage = await openStage((line) => process.stderr.write(`${line}\n`));
  try {
    if (served.includes('submit')) report(await (await import('./submit.mjs')).measureSubmit(stage, plan));
    if (served.includes('mail')) report(await (await import('./mail.mjs')).measureMail(stage, plan));
    if (served.includes('ccip')) report(await (await import('./ccip.mjs')).measureCcip(stage, plan));
    if (served.includes('mailbox')) {
      for (const section of await (await import('./mailbox.mjs')).measureMailbox(stage, plan)) report(section);
    }
    if (served.includes('queue')) {
      for (const section of await (await import('./queue.mjs')).measureQueue(stage, plan)) report(section);
    }
    if (served.includes('depth')) report(await (await import('./queue.mjs')).measureDepth(stage, plan));
    if (served.includes('recovery')) report(await (await import('./recovery.mjs')).measureRecovery(stage, plan));
    if (served.includes('soak')) report(await (await import('./soak.mjs')).measureSoak(stage, plan));
    if (served.includes('purge')) report(await (await import('./purge.mjs')).measurePurge(stage, plan));
    if (served.includes('stall')) report(await (await import('./stall.mjs')).measureStall(stage, plan));
    if (served.includes('matrix')) {
      for await (const section of (await import('./matrix.mjs')).measureMatrix(stage, plan)) report(section);
    }
    if (served.includes('matrix-start')) {
      report(await (await import('./matrix.mjs')).measureMatrixStart(stage, plan));
    }
    if (served.includes('start')) report(await (await import('./start.mjs')).measureStart(stage, plan));
  } finally {
    await stage.close();
  }
}

function readOptions() {
  const options = {
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    minutes: { type: 'string', default: '60' },
    help: { type: 'boolean', default: false },
  };
  const chosen = parseOrExplain(options);
  if (chosen.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  if (chosen.only !== undefined && ![...SECTIONS, ...ON_REQUEST].includes(chosen.only))
    giveUp(`There is no section ${chosen.only}.`);
  const minutes = Number(chosen.minutes);
  if (!Number.isInteger(minutes) || minutes < 1) giveUp('--minutes takes a whole number.');
  return { ...chosen, minutes };
}

function parseOrExplain(options) {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return giveUp(error.message);
  }
}

function giveUp(reason) {
  process.stderr.write(`${reason}\n\n${HELP}`);
  process.exit(2);
}

function machine() {
  const [first, ...others] = os.cpus();
  return { cpu: first.model, cores: others.length + 1, node: process.version, loadBefore: os.loadavg()[0] };
}

await main();
