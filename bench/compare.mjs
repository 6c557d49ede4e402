import { cpuSeconds } from './processes.mjs';
import { median } from './statistics.mjs';

const WARM_UP = { concurrency: 8, count: 1_000, seconds: 3 };
const FIGURES = ['perSecond', 'p50', 'p99', 'cpuMs'];

export const COLUMNS = {
  concurrency: 'at once',
  name: 'target',
  perSecond: 'per s',
  p50: 'p50 ms',
  p99: 'p99 ms',
  cpuMs: 'CPU ms each',
  rateRatio: 'per s / floor',
  cpuRatio: 'CPU / floor',
};

/** How many items `compare` needs at most. */
export const itemsNeeded = ({ concurrencies, rounds, count }) => WARM_UP.count + concurrencies.length * rounds * count;

/**
 * Loads the floor and the gateway in turn, round after round, so that a busy machine slows both alike.
 * @param targets floor first; `settled` of a target resolves when nothing is left to do from the last round
 * @returns for every concurrency a row each: medians over the rounds, ratios being medians of each round's ratio
 */
export async function compare({ load, targets, concurrencies, rounds, count, seconds }) {
  for (const target of targets) await loadOnce(load, target, WARM_UP);
  const runs = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const concurrency of concurrencies) {
      for (const target of targets) {
        runs.push({
          concurrency,
          name: target.name,
          ...(await loadOnce(load, target, { concurrency, count, seconds })),
        });
      }
    }
  }
  return concurrencies.flatMap((concurrency) =>
    rowsOf(
      runs.filter((run) => run.concurrency === concurrency),
      targets,
    ),
  );
}

async function loadOnce(load, { name, pid, port, settled = async () => {} }, run) {
  const before = cpuSeconds(pid);
  const result = await load.ask({ target: name, port, ...run });
  await settled();
  return { ...result, cpuMs: ((cpuSeconds(pid) - before) * 1_000) / result.sent };
}

function rowsOf(runs, targets) {
  const of = (target) => runs.filter(({ name }) => name === target.name);
  const floor = of(targets[0]);
  return targets.map((target) => {
    const mine = of(target);
    const figures = FIGURES.map((figure) => [figure, median(mine.map((run) => run[figure]))]);
    const ratio = (figure) => median(mine.map((run, round) => run[figure] / floor[round][figure]));
    const ratios = target === targets[0] ? {} : { rateRatio: ratio('perSecond'), cpuRatio: ratio('cpuMs') };
    return { concurrency: runs[0].concurrency, name: target.name, ...Object.fromEntries(figures), ...ratios };
  });
}
