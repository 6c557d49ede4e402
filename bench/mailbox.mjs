import fs from 'node:fs';
import path from 'node:path';
import { Backlog } from './backlog.mjs';
import { compare, itemsNeeded } from './compare.mjs';
import { newEnvelope } from './envelopes.mjs';
import { httpClient } from './http-client.mjs';
import { MailboxClient, PAGE } from './mailbox-client.mjs';
import { elsewhere } from './stage.mjs';
import { median } from './statistics.mjs';
import { requests } from './submit.mjs';

const QUEUED = [10, 5_000];
const PART = { accounts: 10_000, messages: 100_000 };
const WHOLE = { accounts: 100_000, messages: 1_000_000 };
const AT_ONCE = 16;
const READS_A_ROUND = 4;

const COLUMNS = {
  name: 'messages',
  page: 'page of 10, ms',
  pageRatio: '/ first',
  acknowledge: 'acknowledge one, ms',
  acknowledgeRatio: '/ first',
};
const RATE_COLUMNS = { name: 'messages', perSecond: 'submitted per s', rateRatio: '/ empty' };

/** Whether anything gets slower with what waits in a mailbox, and in the whole database. */
export async function measureMailbox(stage, { rounds, seconds, count, full }) {
  const backlog = full ? WHOLE : PART;
  const gateways = await openGateways(stage, backlog);
  try {
    const rows = await readInTurn(await openMailboxes(stage, gateways), rounds * READS_A_ROUND);
    const rates = await submitInTurn(stage, gateways, { rounds, seconds, count: count.submit });
    return [
      section('mailbox', 'mailbox: the newest 10 envelopes, and acknowledging one', COLUMNS, rows, full),
      section('backlog', `backlog: dm3_submitMessage, ${AT_ONCE} at once`, RATE_COLUMNS, rates, full),
    ];
  } finally {
    for (const { tables } of gateways) await tables.close();
  }
}

function section(name, title, columns, rows, full) {
  const note = full ? '' : ' (a tenth of the rows; -- --full fills a million)';
  return { name, title: `${title}${note}`, columns, rows, figures: rows };
}

/** One whose database is empty, and one whose database is large. */
async function openGateways(stage, { accounts, messages }) {
  const { input, ports } = await elsewhere(stage.setting, 'dm3_gateway_backlog');
  const large = await stage.start('gateway-process.mjs', input);
  const gateways = [
    { name: 'empty database', pid: stage.gateway.pid, ports: stage.gateway.ports, schema: 'dm3_gateway' },
    { name: `${figure(messages)} in the database`, pid: large.pid, ports, schema: input.settings.database.schema },
  ];
  for (const gateway of gateways) gateway.tables = await Backlog.open(stage.postgres, gateway.schema);
  await gateways[1].tables.stock({ accounts, messages, profile: stage.receivers[0].profile });
  return gateways;
}

const figure = (number) => number.toLocaleString('en');

/** On every gateway, one mailbox for each number of messages; clients open the newest ones only. */
async function openMailboxes(stage, gateways) {
  const mailboxes = [];
  for (const { name, ports, tables } of gateways) {
    for (const [index, queued] of QUEUED.entries()) {
      const owner = stage.receivers[index];
      await tables.queue(owner.address, queued - PAGE);
      await submitPage(stage, ports.http, owner);
      const client = await MailboxClient.open(stage.crypto, ports.http, owner);
      const restore = await tables.keep(owner.address);
      mailboxes.push({ name: `${figure(queued)} in the mailbox, ${name}`, client, restore, runs: [] });
    }
  }
  return mailboxes;
}

async function submitPage({ crypto, serviceKeys, senders: [from] }, port, to) {
  const client = await httpClient.connect(port);
  for (let id = 0; id < PAGE; id += 1) {
    const envelope = newEnvelope(crypto, { from, to, serviceKey: serviceKeys.encryption.publicKey });
    const params = [JSON.stringify(envelope)];
    await client.deliver(
      httpClient.prepare(JSON.stringify({ jsonrpc: '2.0', id, method: 'dm3_submitMessage', params })),
    );
  }
  client.close();
}

/** All mailboxes in every round, so that a busy machine slows all of them alike. */
async function readInTurn(mailboxes, rounds) {
  for (const mailbox of mailboxes) await readOnce(mailbox); // warm-up
  for (let round = 0; round < rounds; round += 1) {
    for (const mailbox of mailboxes) mailbox.runs.push(await readOnce(mailbox));
  }
  const [first] = mailboxes;
  return mailboxes.map(({ name, client, runs }) => {
    client.close();
    const of = (what) => median(runs.map((run) => run[what]));
    const ratio = (what) => median(runs.map((run, round) => run[what] / first.runs[round][what]));
    const ratios = runs === first.runs ? {} : { pageRatio: ratio('page'), acknowledgeRatio: ratio('acknowledge') };
    return { name, page: of('page'), acknowledge: of('acknowledge'), ...ratios };
  });
}

async function readOnce({ client, restore }) {
  const milliseconds = { page: [], acknowledge: [] };
  for (let turn = 0; turn < PAGE; turn += 1) {
    const envelopes = await timed(milliseconds.page, () => client.page());
    if (envelopes.length !== PAGE) throw new Error(`A page has ${envelopes.length} envelopes.`);
    await timed(milliseconds.acknowledge, () => client.acknowledge(envelopes[turn].metadata.messageHash));
    await restore();
  }
  return { page: median(milliseconds.page), acknowledge: median(milliseconds.acknowledge) };
}

async function timed(milliseconds, work) {
  const began = performance.now();
  const result = await work();
  milliseconds.push(performance.now() - began);
  return result;
}

async function submitInTurn(stage, gateways, limits) {
  const plan = { concurrencies: [AT_ONCE], ...limits };
  const file = path.join(stage.home, 'backlog.ndjson');
  fs.writeFileSync(file, requests(stage, itemsNeeded(plan)));
  const load = await stage.start('load.mjs', { protocol: 'http', file });
  const targets = gateways.map(({ name, pid, ports }) => ({ name, pid, port: ports.http }));
  return compare({ ...plan, load, targets });
}
