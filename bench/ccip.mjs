import fs from 'node:fs';
import path from 'node:path';
import { Interface } from 'ethers';
import { dnsEncode, namehash } from '../dist/naming/dns-name.js';
import { cpuSeconds } from './processes.mjs';
import { median } from './statistics.mjs';

const NAMES_ASKED_OFTEN = 50;
/** Limits are per client: the load comes from many, as through a proxy. */
const CLIENTS = 1_000;
const CONCURRENCY = 16;
const WARM_UP = { concurrency: CONCURRENCY, count: 500, seconds: 2 };

const resolver = new Interface(['function resolve(bytes name, bytes data)']);
const records = new Interface(['function text(bytes32 node, string key)']);

/** Signed CCIP-read answers over HTTP, for the profile records of names asked again and again, and of ever new ones. */
export async function measureCcip(stage, { rounds, seconds, count }) {
  const plan = { rounds, seconds, count: count.ccip };
  const runs = {
    'same names': await load(stage, 'same', plan, (index) => index % NAMES_ASKED_OFTEN),
    'new names': await load(stage, 'new', plan, (index) => NAMES_ASKED_OFTEN + index),
  };
  const rows = [];
  for (const [name, ask] of Object.entries(runs)) {
    await ask(WARM_UP);
    const results = [];
    for (let round = 0; round < rounds; round += 1) results.push(await ask({ ...plan, concurrency: CONCURRENCY }));
    rows.push({ name, ...medians(results) });
  }
  const columns = {
    name: 'asked for',
    perSecond: 'per s',
    p50: 'p50 ms',
    p99: 'p99 ms',
    cpuMs: 'CPU ms each',
    perCore: 'per s of CPU',
  };
  const title = `ccip: signed answers, ${CONCURRENCY} at once (GET, the profile records of mail addresses' names)`;
  return { name: 'ccip', title, columns, rows, figures: rows };
}

/** A load process with requests prepared; what it returns sends some of them and tells what that cost the gateway. */
async function load(stage, kind, { rounds, count }, nameAt) {
  const file = path.join(stage.home, `ccip-${kind}.ndjson`);
  const total = WARM_UP.count + rounds * count;
  const lines = Array.from({ length: total }, (_, index) => JSON.stringify(request(stage, nameAt(index), index)));
  fs.writeFileSync(file, lines.join('\n'));
  const process = await stage.start('load.mjs', { protocol: 'ccip', file });
  const { pid, ports } = stage.gateway;
  return async (run) => {
    const before = cpuSeconds(pid);
    const result = await process.ask({ target: 'gateway', port: ports.http, ...run });
    const cpuMs = ((cpuSeconds(pid) - before) * 1_000) / result.sent;
    return { ...result, cpuMs, perCore: 1_000 / cpuMs };
  };
}

function request({ setting }, person, client) {
  const { names, ccipRead } = setting.settings;
  const name = `person${person}._at.example.com.email.${names.root}`;
  const call = records.encodeFunctionData('text', [namehash(name), 'network.dm3.profile']);
  const data = resolver.encodeFunctionData('resolve', [dnsEncode(name), call]);
  const number = client % CLIENTS;
  return { path: `/ccip/${ccipRead.resolvers[0]}/${data}.json`, client: `10.1.${number >> 8}.${number & 255}` };
}

function medians(results) {
  const figures = ['perSecond', 'p50', 'p99', 'cpuMs', 'perCore'];
  return Object.fromEntries(figures.map((figure) => [figure, median(results.map((result) => result[figure]))]));
}
