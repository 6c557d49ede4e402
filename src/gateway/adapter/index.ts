// The public face of the adapter contract (package export `dm3-gateway/adapter`).
export * from './adapter.js';
export * from './errors.js';
export * from './message.js';
