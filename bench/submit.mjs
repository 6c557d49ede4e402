import fs from 'node:fs';
import path from 'node:path';
import { compare, COLUMNS, itemsNeeded } from './compare.mjs';
import { newEnvelope } from './envelopes.mjs';

const CONCURRENCIES = [1, 16];

/** Durable dm3_submitMessage of the gateway against the floor service. */
export async function measureSubmit(stage, { rounds, seconds, count }) {
  const plan = { concurrencies: CONCURRENCIES, rounds, seconds, count: count.submit };
  const file = path.join(stage.home, 'envelopes.ndjson');
  fs.writeFileSync(file, requests(stage, itemsNeeded(plan)));
  const load = await stage.start('load.mjs', { protocol: 'http', file });
  const floor = await stage.start('floor-service.mjs', {
    postgres: stage.postgres,
    keys: stage.serviceKeys,
    signingKeys: new Map(stage.senders.map(({ name, keys }) => [name, keys.signing.publicKey])),
    encryptionKeys: new Map(stage.receivers.map(({ name, keys }) => [name, keys.encryption.publicKey])),
  });
  const targets = [
    { name: 'floor', pid: floor.pid, port: floor.ready },
    { name: 'gateway', pid: stage.gateway.pid, port: stage.gateway.ports.http },
  ];
  const rows = await compare({ ...plan, load, targets });
  const title =
    'submit: dm3_submitMessage, answered after the commit (2 KB messages, sender verified, local mailboxes)';
  return { name: 'submit', title, columns: COLUMNS, rows, figures: rows };
}

/** Bodies of JSON-RPC requests, one a line, each as a JSON string. */
export function requests({ crypto, serviceKeys, senders, receivers }, count) {
  const serviceKey = serviceKeys.encryption.publicKey;
  const lines = Array.from({ length: count }, (_, id) => {
    const [from, to] = [senders[id % senders.length], receivers[Math.floor(id / senders.length) % receivers.length]];
    const envelope = JSON.stringify(newEnvelope(crypto, { from, to, serviceKey }));
    return JSON.stringify(JSON.stringify({ jsonrpc: '2.0', id, method: 'dm3_submitMessage', params: [envelope] }));
  });
  return lines.join('\n');
}
