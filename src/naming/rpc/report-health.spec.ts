import { describe, expect, it } from '@jest/globals';
import { Metrics } from '../../ops/metrics.js';
import { Probes } from '../../ops/probes.js';
import { reportHealth } from './report-health.js';
import type { EndpointHealth } from './rpc-endpoints.js';

const GOOD: EndpointHealth = { endpoint: 'good.example', state: 'usable', code: null, behindSeconds: 0 };
const OLD: EndpointHealth = { endpoint: 'old.example', state: 'behind', code: null, behindSeconds: 300 };
const DEAD: EndpointHealth = { endpoint: 'dead.example', state: 'resting', code: 'TIMEOUT', behindSeconds: null };

/** What operators see of endpoints that do like this. */
async function reportOf(...health: EndpointHealth[]) {
  const [probes, metrics] = [new Probes(), new Metrics()];
  reportHealth({ health: () => health }, { probes, metrics });
  const text = await metrics.registry.metrics();
  return {
    ...(await probes.all()[0]!.check()),
    gauges: text.split('\n').filter((line) => line.startsWith('dm3_gateway_rpc')),
  };
}

describe('the health of the endpoints', () => {
  it('is up as long as one of them answers, and says how each does', async () => {
    expect(await reportOf(GOOD, OLD, DEAD)).toEqual({
      up: true,
      detail: 'good.example is usable; old.example is 300 s behind; dead.example is left alone (TIMEOUT)',
      gauges: [
        'dm3_gateway_rpc_endpoint_up{endpoint="good.example"} 1',
        'dm3_gateway_rpc_endpoint_up{endpoint="old.example"} 1',
        'dm3_gateway_rpc_endpoint_up{endpoint="dead.example"} 0',
        'dm3_gateway_rpc_endpoint_behind_seconds{endpoint="good.example"} 0',
        'dm3_gateway_rpc_endpoint_behind_seconds{endpoint="old.example"} 300',
      ],
    });
  });

  it('is down when none does', async () => {
    expect(await reportOf(DEAD)).toMatchObject({ up: false, detail: 'dead.example is left alone (TIMEOUT)' });
  });
});
