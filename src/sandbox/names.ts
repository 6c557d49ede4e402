import type { EnsName } from '../common/ids.js';

/** What the sandbox is called, in ENS and in the mail world. */
export const ROOT_NAME = 'gateway.eth' as EnsName;
export const SERVICE_NAME = `ds.${ROOT_NAME}` as EnsName;
export const MAIL_DOMAIN = 'gateway.localhost';
