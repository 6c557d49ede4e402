import type { Metrics } from '../../ops/metrics.js';
import type { Probes } from '../../ops/probes.js';
import type { TopLevelDirectory } from './top-level-directory.js';

/** Shows operators whether the aliases are the contract's of now. Without it everything works on, with those known last. */
export function reportRegistry(
  directory: TopLevelDirectory,
  { probes, metrics }: { probes: Probes; metrics: Metrics },
): void {
  const detail = () => (directory.isCurrent ? 'read' : 'not reachable: the aliases known last hold');
  probes.add({ name: 'alias-registry', check: () => Promise.resolve({ up: true, detail: detail() }) });
  metrics.observe('alias_registry_reachable', 'Top-level aliases: 1 if the contract answers, 0 if not.', () =>
    Promise.resolve(Number(directory.isCurrent)),
  );
}
