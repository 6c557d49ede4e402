import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { compare, COLUMNS, itemsNeeded } from './compare.mjs';
import { MAIL_DOMAIN } from './stage.mjs';

const CONCURRENCIES = [1, 10];
const AUTHORS = 20;
const PATIENCE_MS = 60_000;

/** Mail taken by the gateway (250 after the commit) against an SMTP server that only parses it. */
export async function measureMail(stage, { rounds, seconds, count }) {
  const plan = { concurrencies: CONCURRENCIES, rounds, seconds, count: count.mail };
  const file = path.join(stage.home, 'mails.ndjson');
  fs.writeFileSync(file, mails(stage, itemsNeeded(plan)));
  const load = await stage.start('load.mjs', { protocol: 'smtp', file });
  const sink = await stage.start('mail-sink.mjs', {});
  const db = new Client(stage.postgres);
  await db.connect();
  const targets = [
    { name: 'floor', pid: sink.pid, port: sink.ready },
    { name: 'gateway', pid: stage.gateway.pid, port: stage.gateway.ports.smtp, settled: () => allDelivered(db) },
  ];
  try {
    const rows = await compare({ ...plan, load, targets });
    const title =
      "mail: 250 after the commit (5 KB mails, 20 authors); the gateway's CPU includes delivery into the mailbox";
    return { name: 'mail', title, columns: COLUMNS, rows, figures: rows };
  } finally {
    await db.end();
  }
}

/** The gateway delivers what it took while the next mail comes in; the floor's turn begins when that is done. */
async function allDelivered(db) {
  const deadline = Date.now() + PATIENCE_MS;
  const waiting = `SELECT count(*)::int AS count FROM dm3_gateway.message WHERE state IN ('accepted', 'frozen')`;
  while ((await db.query(waiting)).rows[0].count > 0) {
    if (Date.now() > deadline) throw new Error('The gateway did not deliver the mail it took.');
    await delay(20);
  }
}

function mails({ receivers }, count) {
  const lines = Array.from({ length: count }, (_, index) => {
    const [from, to] = [
      `author${index % AUTHORS}@sender.test`,
      receivers[Math.floor(index / AUTHORS) % receivers.length].name,
    ];
    return JSON.stringify({ from, to: `${to}@${MAIL_DOMAIN}`, data: newMail(from, `${to}@${MAIL_DOMAIN}`, index) });
  });
  return lines.join('\n');
}

const SENTENCE = 'Ships that pass in the night, and speak each other in passing; only a signal shown.';
const lines = (repeats, line) => Array.from({ length: repeats }, () => line).join('\r\n');

/** What a mail program writes: the text as plain text and as HTML, 5 KB in all. */
function newMail(from, to, index) {
  return [
    `From: Author <${from}>`,
    `To: ${to}`,
    `Subject: Letter ${index}`,
    `Message-ID: <${randomUUID()}@sender.test>`,
    `Date: ${new Date().toUTCString()}`,
    'MIME-Version: 1.0',
    'Content-Type: multipart/alternative; boundary="part"',
    '',
    '--part',
    'Content-Type: text/plain; charset=utf-8',
    '',
    lines(25, SENTENCE),
    '--part',
    'Content-Type: text/html; charset=utf-8',
    '',
    `<html><body>\r\n${lines(26, `<p>${SENTENCE}</p>`)}\r\n</body></html>`,
    '--part--',
  ].join('\r\n');
}
