import type { Metrics } from '../../ops/metrics.js';
import type { Probes } from '../../ops/probes.js';
import type { EndpointHealth, RpcEndpoints } from './rpc-endpoints.js';

type Endpoints = Pick<RpcEndpoints, 'health'>;

/** Shows operators how the endpoints do: `ethereum` in `/health/ready`, and gauges by endpoint in `/metrics`. */
export function reportHealth(endpoints: Endpoints, { probes, metrics }: { probes: Probes; metrics: Metrics }): void {
  probes.add({
    name: 'ethereum',
    check: () => {
      const all = endpoints.health();
      return Promise.resolve({ up: all.some(isAnswering), detail: all.map(inWords).join('; ') });
    },
  });
  const gauge = (name: string, help: string, figure: (health: EndpointHealth) => number | null) =>
    metrics.observeEach(name, help, 'endpoint', () => figuresOf(endpoints, figure));
  gauge('rpc_endpoint_up', 'Ethereum endpoints: 1 if it answers, 0 while it is left alone.', (health) =>
    Number(isAnswering(health)),
  );
  gauge(
    'rpc_endpoint_behind_seconds',
    'How much older its newest block is than the newest of all.',
    (health) => health.behindSeconds,
  );
}

const isAnswering = ({ state }: EndpointHealth): boolean => state !== 'resting';

function inWords({ endpoint, state, code, behindSeconds }: EndpointHealth): string {
  if (state === 'resting') return `${endpoint} is left alone (${code})`;
  return state === 'behind' ? `${endpoint} is ${behindSeconds} s behind` : `${endpoint} is usable`;
}

/** Of those whose figure is known. */
function figuresOf(
  endpoints: Endpoints,
  figure: (health: EndpointHealth) => number | null,
): ReadonlyMap<string, number> {
  const figures = endpoints.health().map((health) => [health.endpoint, figure(health)] as const);
  return new Map(figures.flatMap(([endpoint, value]) => (value === null ? [] : [[endpoint, value] as const])));
}
