// Loaded into the service before anything else (`node --import`): what the fault suite may do inside its process.
// Nothing of it is part of the product; the service knows only that there may be a hook at its kill points.
import fs from 'node:fs';
import { Resolver } from 'node:dns/promises';
import { flushCompileCache } from 'node:module';

/** `hitFile`: where a kill is announced, before it happens. `kill`: which, from the start. `zone`: the world's DNS. */
const plan = JSON.parse(process.env.FAULT_PLAN);
const reached = new Map();
let kill = plan.kill ?? null;

/** Ends the process at the n-th time from when it was armed that the point, or any with `*`, is reached. */
globalThis[Symbol.for('dm3-gateway kill point')] = (point) => {
  reached.set(point, (reached.get(point) ?? 0) + 1);
  if (!kill || (kill.point !== '*' && kill.point !== point)) return;
  kill.nth -= 1;
  if (kill.nth > 0) return;
  fs.writeFileSync(plan.hitFile, point);
  process.kill(process.pid, 'SIGKILL');
};

Resolver.prototype.resolve = async (name, type) => {
  const records = plan.zone[name.toLowerCase()]?.[type];
  if (records) return records;
  throw Object.assign(new Error(`no ${type} record for ${name}`), { code: 'ENOTFOUND' });
};

/** The wall clock of this process, as far as it is shifted. */
const trueNow = Date.now;
let shiftMs = 0;
Date.now = () => trueNow() + shiftMs;

const answers = {
  arm: (next) => {
    kill = next;
    flushCompileCache(); // whoever is killed writes it no more
  },
  reached: () => Object.fromEntries(reached),
  shift: (milliseconds) => void (shiftMs = milliseconds),
  memory: () => {
    globalThis.gc?.();
    return process.memoryUsage();
  },
};

process.on('message', ({ id, question, value }) => process.send({ id, answer: answers[question](value) ?? null }));
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL')); // whoever ran the test is gone
process.channel?.unref(); // it must not keep alive what wants to end
