import { describe, expect, it } from '@jest/globals';
import { ConfigError } from './errors.js';
import { parseRoles, Roles } from './roles.js';

describe('names of roles', () => {
  it.each([
    [['worker'], ['worker']],
    [['api,worker'], ['api', 'worker']],
    [
      ['api', ' email-in , matrix'],
      ['api', 'email-in', 'matrix'],
    ],
    ['all', ['all']],
  ])('are read from %j', (written, roles) => {
    expect(parseRoles(written)).toEqual(roles);
  });

  it.each([
    [['wroker'], /^There is no role "wroker"; the roles are all, api, worker, email-in, matrix, xmtp\.$/],
    [['api', 'email'], /no role "email"/],
    [['API'], /no role "API"/],
    [[' , '], /^At least one role is needed; the roles are all, api/],
  ])('are refused as %j', (written, complaint) => {
    expect(() => parseRoles(written)).toThrow(ConfigError);
    expect(() => parseRoles(written)).toThrow(complaint);
  });
});

describe('the roles of a process', () => {
  it('are all of them by default', () => {
    const roles = new Roles();
    expect([roles.has('api'), roles.has('worker'), roles.runs('email'), roles.runs('xmtp')]).not.toContain(false);
  });

  it('are those it was given, and mail comes in where its role is', () => {
    const roles = new Roles(['worker', 'email-in']);
    expect([roles.has('worker'), roles.runs('email')]).toEqual([true, true]);
    expect([roles.has('api'), roles.runs('matrix')]).toEqual([false, false]);
    expect(`${roles}`).toBe('worker,email-in');
  });

  it('need what they are for', () => {
    expect(() => new Roles(['matrix']).refuseWithout(['email'])).toThrow(/role matrix needs the section "matrix"/);
    expect(() => new Roles(['email-in']).refuseWithout([])).toThrow(/role email-in needs the section "email"/);
    expect(() => new Roles(['email-in', 'api', 'worker']).refuseWithout(['email'])).not.toThrow();
    expect(() => new Roles().refuseWithout([])).not.toThrow();
  });
});
