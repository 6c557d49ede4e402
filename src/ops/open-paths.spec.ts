import { expect, it } from '@jest/globals';
import { Roles } from '../config/roles.js';
import { pathsOf } from './open-paths.js';

it('opens what watches the process, and where a network of its brings something over HTTP', () => {
  expect(pathsOf(new Roles(['worker', 'email-in']))).toEqual(['/health', '/metrics']);
  expect(pathsOf(new Roles(['matrix']))).toEqual(['/health', '/metrics', '/_matrix']);
});
