import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { RateLimitedError } from '../../storage/rate-limits/errors.js';
import { RateLimiter } from '../../storage/rate-limits/rate-limiter.js';
import { NamingUnavailableError } from '../errors.js';
import { CcipReadController } from './ccip-read.controller.js';
import { CcipReadService } from './ccip-read.service.js';
import { CcipSenderRefusedError } from './errors.js';

const SENDER = `0x${'5E'.repeat(20)}`;
const DATA = `0x${'9061b923'.repeat(200)}`; // much longer than Fastify's limit for named parameters

const answer = jest.fn<CcipReadService['answer']>();
const take = jest.fn<RateLimiter['take']>();
let app: NestFastifyApplication;

beforeAll(async () => {
  const module = await Test.createTestingModule({
    controllers: [CcipReadController],
    providers: [
      { provide: CcipReadService, useValue: { answer } },
      { provide: RateLimiter, useValue: { take } },
    ],
  }).compile();
  app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
  app.useLogger(false);
  await app.init();
});

afterAll(() => app.close());

beforeEach(() => {
  take.mockReset().mockResolvedValue();
  answer.mockReset().mockResolvedValue({ data: '0xabcd', maxAgeSeconds: 150 });
});

describe('CCIP-read over HTTP', () => {
  it.each([
    ['GET', { method: 'GET', url: `/ccip/${SENDER}/${DATA}` }],
    ['GET with .json', { method: 'GET', url: `/ccip/${SENDER}/${DATA}.json` }],
    ['POST', { method: 'POST', url: '/ccip', payload: { sender: SENDER, data: DATA } }],
    ['POST to a sender', { method: 'POST', url: `/ccip/${SENDER}.json`, payload: { sender: SENDER, data: DATA } }],
  ] as const)('answers %s, for caches and for browsers', async (_, request) => {
    const response = await app.inject(request);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ data: '0xabcd' });
    expect(response.headers).toMatchObject({
      'cache-control': 'public, max-age=150',
      'access-control-allow-origin': '*',
    });
    expect(answer).toHaveBeenCalledWith(SENDER, DATA);
  });

  it.each(['/ccip', `/ccip/${SENDER}`, `/ccip/${SENDER}/${DATA}`])(
    'answers the preflight of a browser',
    async (url) => {
      const response = await app.inject({ method: 'OPTIONS', url });
      expect(response.statusCode).toBe(204);
      expect(response.headers).toMatchObject({
        'access-control-allow-origin': '*',
        'access-control-allow-headers': 'content-type',
      });
    },
  );

  it.each([
    ['a sender that is no address', { sender: '0x12', data: DATA }, /sender: it is not an Ethereum address/],
    ['data that are not hex', { sender: SENDER, data: '0xxyz' }, /data: it is not hex data/],
    ['no data', { sender: SENDER }, /data/],
    ['no body', undefined, /body/],
  ])('answers 400 to %s', async (_, payload, message) => {
    const response = await app.inject({ method: 'POST', url: '/ccip', payload });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toEqual({ message: expect.stringMatching(message) });
    expect(response.headers).toMatchObject({ 'access-control-allow-origin': '*' });
    expect(answer).not.toHaveBeenCalled();
  });

  it.each([
    [403, new CcipSenderRefusedError({ sender: SENDER })],
    [503, new NamingUnavailableError({ subject: 'The name', reason: 'the node is down' })],
  ])('answers %i with a reason, and nothing that a cache would keep', async (status, error) => {
    answer.mockRejectedValue(error);
    const response = await app.inject({ method: 'GET', url: `/ccip/${SENDER}/${DATA}` });
    expect(response.statusCode).toBe(status);
    expect(response.json()).toEqual({ message: error.message });
    expect(response.headers).toMatchObject({ 'cache-control': 'no-store' });
  });

  it('lets a client do so much in a minute, a home network being one client, and says when to come back', async () => {
    const remoteAddress = '2001:db8:1:2:3:4:5:6';
    take.mockRejectedValue(new RateLimitedError({ what: 'lookups', limit: 5, retryAfterSeconds: 17 }));
    const response = await app.inject({ method: 'GET', url: `/ccip/${SENDER}/${DATA}`, remoteAddress });
    expect(response.statusCode).toBe(429);
    expect(response.headers).toMatchObject({ 'retry-after': '17', 'cache-control': 'no-store' });
    expect(take).toHaveBeenCalledWith('2001:db8:1:2::/64');
    expect(answer).not.toHaveBeenCalled();
  });

  it('keeps the reason of a bug to itself', async () => {
    answer.mockRejectedValue(new Error('secret'));
    const response = await app.inject({ method: 'GET', url: `/ccip/${SENDER}/${DATA}` });
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain('secret');
  });
});
