import { setTimeout as delay } from 'node:timers/promises';
import { newEnvelope } from './envelopes.mjs';
import { httpClient } from './http-client.mjs';
import { MailboxClient } from './mailbox-client.mjs';
import { median } from './statistics.mjs';

const SMALL = 2_048;
const LARGE = 3_744_000; // bytes of a message whose envelope has 5 MB: base64 adds a third
const REPEATS = 4;
const IDLE_MS = 200;
const COLUMNS = { name: 'meanwhile', milliseconds: 'takes, ms', stall: 'stall, ms', longest: 'longest, ms' };

/** How long the gateway's event loop stands still (perf_hooks, in its process) for one large envelope. */
export async function measureStall(stage, { rounds }) {
  const { http } = stage.gateway.ports;
  const sender = await httpClient.connect(http);
  const reader = await MailboxClient.open(stage.crypto, http, stage.receivers[0]);
  const submission = (bytes) => async () => {
    const request = newRequest(stage, bytes);
    return () => sender.deliver(request);
  };
  const fetch = async () => () => reader.page();
  const acknowledge = async () => {
    const [{ metadata }] = await reader.page();
    return () => reader.acknowledge(metadata.messageHash);
  };
  const steps = [
    ['nothing', async () => () => delay(IDLE_MS)],
    ['submit, 2 KB', submission(SMALL)],
    ['submit, 5 MB', submission(LARGE)],
    ['fetch, 5 MB', fetch],
    ['acknowledge, 5 MB', acknowledge],
  ].map(([name, prepare]) => ({ name, prepare, runs: [] }));
  for (const { prepare } of steps) await watched(stage.gateway, await prepare()); // warm-up
  for (let round = 0; round < rounds * REPEATS; round += 1) {
    for (const { prepare, runs } of steps) runs.push(await watched(stage.gateway, await prepare()));
  }
  sender.close();
  reader.close();
  const rows = steps.map(({ name, runs }) => rowOf(name, runs));
  return {
    name: 'stall',
    title: 'stall: of the event loop while an envelope passes',
    columns: COLUMNS,
    rows,
    figures: rows,
  };
}

function newRequest({ crypto, serviceKeys, senders: [from], receivers: [to] }, messageBytes) {
  const envelope = newEnvelope(crypto, { from, to, serviceKey: serviceKeys.encryption.publicKey, messageBytes });
  const params = [JSON.stringify(envelope)];
  return httpClient.prepare(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'dm3_submitMessage', params }));
}

async function watched(gateway, run) {
  await gateway.ask('watch');
  const began = performance.now();
  await run();
  const milliseconds = performance.now() - began;
  return { milliseconds, stall: await gateway.ask('stall') };
}

function rowOf(name, runs) {
  const stalls = runs.map(({ stall }) => stall);
  return {
    name,
    milliseconds: median(runs.map(({ milliseconds }) => milliseconds)),
    stall: median(stalls),
    longest: Math.max(...stalls),
  };
}
