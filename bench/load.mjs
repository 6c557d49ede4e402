// The load, in a process of its own: everything is prepared before the clock starts, every item is sent once a target.
import fs from 'node:fs';
import { ccipClient, httpClient } from './http-client.mjs';
import { serve } from './processes.mjs';
import { smtpClient } from './smtp-client.mjs';
import { quantile } from './statistics.mjs';

const CLIENTS = { ccip: ccipClient, http: httpClient, smtp: smtpClient };

let client;
let items;
const sentTo = new Map(); // items that a target has had

serve(
  ({ protocol, file }) => {
    client = CLIENTS[protocol];
    items = fs
      .readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => client.prepare(JSON.parse(line)));
    return items.length;
  },
  (run) => measure(run),
);

/**
 * Sends up to `count` items, for `seconds` at most, `concurrency` at a time, each on a connection of its own that stays
 * open. Ends with an error if one is refused.
 */
async function measure({ target, port, concurrency, count, seconds }) {
  const first = sentTo.get(target) ?? 0;
  const end = Math.min(first + count, items.length);
  const connections = await Promise.all(Array.from({ length: concurrency }, () => client.connect(port)));
  const milliseconds = [];
  const start = performance.now();
  let next = first;
  const work = async (connection) => {
    while (next < end && performance.now() - start < seconds * 1_000) {
      const item = items[next++];
      const began = performance.now();
      await connection.deliver(item);
      milliseconds.push(performance.now() - began);
    }
  };
  await Promise.all(connections.map(work));
  const took = (performance.now() - start) / 1_000;
  for (const connection of connections) connection.close();
  sentTo.set(target, next);
  const sent = milliseconds.length;
  return { sent, perSecond: sent / took, p50: quantile(milliseconds, 0.5), p99: quantile(milliseconds, 0.99) };
}
