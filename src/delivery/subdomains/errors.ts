import { GatewayError } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';

/** The operator gives no names away. */
export class SubdomainsOffError extends GatewayError {
  constructor() {
    super({
      code: 'SUBDOMAINS_OFF',
      kind: 'not-found',
      message: 'This service gives out no names; its operator can with the setting subdomains.enabled.',
    });
  }
}

/** Nothing was handed in for this address. */
export class NothingPublishedError extends GatewayError {
  /** @param what `profile` or `name` */
  constructor({ address, what }: { address: EthAddress; what: string }) {
    super({ code: 'NOTHING_PUBLISHED', kind: 'not-found', message: `The address ${address} has no ${what} here.` });
  }
}

/** Subdomains of somebody else, or of nobody. Clients read the first words. */
export class SubdomainUnsupportedError extends GatewayError {
  constructor({ subdomain, ours }: { subdomain: string; ours: string }) {
    super({
      code: 'SUBDOMAIN_UNSUPPORTED',
      kind: 'invalid-input',
      message: `subdomain ${subdomain} is not supported: this service gives out names under ${ours}.`,
    });
  }
}

/** A name is claimed for, or asked of, an address of which nobody handed in a profile. */
export class NoProfileError extends GatewayError {
  constructor() {
    super({
      code: 'NO_PROFILE',
      kind: 'invalid-input',
      message: 'Could not find profile: hand in the signed profile of the address first.',
    });
  }
}

/** Somebody else than the owner of the profile wants a name for it, or wants it gone. */
export class ClaimForgedError extends GatewayError {
  constructor({ text }: { text: string }) {
    super({
      code: 'CLAIM_FORGED',
      kind: 'invalid-input',
      message: `signature invalid: the signing key of the profile must have signed ${JSON.stringify(text)}.`,
    });
  }
}

/** Nobody gets this label. */
export class LabelRefusedError extends GatewayError {
  /** @param reason goes on from "the label" */
  constructor({ reason }: { reason: string }) {
    super({ code: 'LABEL_REFUSED', kind: 'invalid-input', message: `Invalid subdomain: the label ${reason}.` });
  }
}

/** The name, or one like it, is somebody's, or the profile has one already. */
export class NameTakenError extends GatewayError {
  constructor({ reason }: { reason: string }) {
    super({ code: 'NAME_TAKEN', kind: 'invalid-input', message: `Could not create alias: ${reason}.` });
  }
}

/** Spam protection: names cost nothing, so whoever takes one must have something. Clients know the spelling. */
export class BalanceTooLowError extends GatewayError {
  constructor({ minBalance }: { minBalance: bigint }) {
    super({
      code: 'BALANCE_TOO_LOW',
      kind: 'invalid-input',
      message: `Insuficient ETH balance: the address must hold at least ${minBalance} wei.`,
    });
  }
}
