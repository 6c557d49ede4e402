import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { TestGateway } from './support/test-gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.create();
});
afterAll(() => gateway.stop());

it('is ready', async () => {
  const response = await fetch(`${gateway.url}/health/ready`);
  expect(response.status).toBe(200);
});
