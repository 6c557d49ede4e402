import { GatewayError } from '../../common/errors.js';
import type { Permission } from './permission.js';

const WHAT: Readonly<Record<Permission, string>> = {
  deliveryStates: 'ask what became of their messages',
  recall: 'recall their messages',
  presence: 'see whether it is online',
};

/** Accounts of one service do this with each other only if both permit it. */
export class NotPermittedError extends GatewayError {
  constructor({ permission, by }: { permission: Permission; by: 'asker' | 'other' }) {
    const others = `does not let others ${WHAT[permission]}`;
    super({
      code: 'NOT_PERMITTED',
      kind: 'forbidden',
      message:
        by === 'other'
          ? `The account ${others}.`
          : `Your own account ${others}: permit it first, since it holds both ways.`,
      facts: { permission, by },
    });
  }
}

/** What only accounts of one service can do with each other was asked of somebody who has none here. */
export class AccountUnknownError extends GatewayError {
  constructor({ name }: { name: string }) {
    super({
      code: 'ACCOUNT_UNKNOWN',
      kind: 'not-found',
      message: `${name} has no account at this delivery service.`,
    });
  }
}
