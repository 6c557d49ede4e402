import { GatewayError, type ErrorKind } from '../../common/errors.js';
import type { OutgoingChallenge, OutgoingMessage, OutgoingNotice, Rendering } from '../adapter/adapter.js';
import { DeliveryFailedError } from '../adapter/errors.js';
import type { NeutralAttachment } from '../adapter/message.js';
import { renderingFromJson, renderingToJson } from '../from-dm3/frozen.js';
import type { FrozenRendering } from '../from-dm3/payload.js';
import { RemoteFaultError, RequestUnusableError } from './errors.js';

/** What a worker asks of the process that runs the connection to a network. */
export type RemoteCall =
  | { readonly call: 'render'; readonly message: OutgoingMessage }
  | { readonly call: 'render-notice'; readonly notice: OutgoingNotice }
  | { readonly call: 'send'; readonly rendering: Rendering }
  | { readonly call: 'challenge'; readonly challenge: OutgoingChallenge };

/** Also what it answers: a rendering, null for a notice that must not be sent, nothing for what was sent. */
export type RemoteAnswer = Rendering | null | undefined;

/** A call, and the database's time until which somebody waits for the answer. */
export interface RemoteRequest {
  readonly until: string;
  readonly call: RemoteCall;
}

/** Of a machine that was updated before this one it may be another. */
const VERSION = 1;

interface WiredError {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly message: string;
  readonly retryable: boolean;
  readonly outage: boolean;
  readonly facts: GatewayError['facts'];
  /** Of errors of delivery. */
  readonly certainty?: DeliveryFailedError['certainty'];
}

type WiredAnswer =
  | { readonly rendering: FrozenRendering | null }
  | { readonly done: true }
  | { readonly error: WiredError }
  | { readonly fault: true };

type WiredAttachment = Omit<NeutralAttachment, 'content'> & { content: { base64: string } | { uri: string } };

export function requestToJson({ until, call }: RemoteRequest): unknown {
  return { version: VERSION, until, call: callToJson(call) };
}

/** @throws RequestUnusableError */
export function requestFromJson(json: unknown): RemoteRequest {
  const { version, until, call } = json as { version?: unknown; until: string; call: WiredCall };
  if (version !== VERSION) throw new RequestUnusableError({ reason: `version ${String(version)} is not known here` });
  return { until, call: callFromJson(call) };
}

export function answerToJson(answer: RemoteAnswer): WiredAnswer {
  return answer === undefined ? { done: true } : { rendering: answer && renderingToJson(answer) };
}

/** Named errors are told as they are; anything else is a bug of the host, which has it in its log. */
export function errorToJson(error: unknown): WiredAnswer {
  if (!(error instanceof GatewayError)) return { fault: true };
  const { code, kind, message, retryable, outage, facts } = error;
  const certainty = error instanceof DeliveryFailedError ? { certainty: error.certainty } : {};
  return { error: { code, kind, message, retryable, outage, facts, ...certainty } };
}

/** @throws the error that the host answered with */
export function answerFromJson(json: unknown): RemoteAnswer {
  const answer = json as WiredAnswer;
  if ('fault' in answer) throw new RemoteFaultError();
  if ('error' in answer) throw errorFromJson(answer.error);
  return 'rendering' in answer ? answer.rendering && renderingFromJson(answer.rendering) : undefined;
}

function errorFromJson({ certainty, message, ...error }: WiredError): GatewayError {
  return certainty === undefined
    ? new GatewayError({ ...error, message })
    : new DeliveryFailedError({ ...error, reason: message, certainty });
}

type WiredMessage = Omit<OutgoingMessage, 'message'> & {
  message: Omit<OutgoingMessage['message'], 'attachments'> & { attachments: WiredAttachment[] };
};
type WiredCall =
  | { readonly call: 'render'; readonly message: WiredMessage }
  | { readonly call: 'send'; readonly rendering: FrozenRendering }
  | Exclude<RemoteCall, { call: 'render' | 'send' }>;

function callToJson(call: RemoteCall): WiredCall {
  if (call.call === 'send') return { call: 'send', rendering: renderingToJson(call.rendering) };
  if (call.call !== 'render') return call;
  const { message } = call.message;
  const attachments = message.attachments.map(attachmentToJson);
  return { call: 'render', message: { ...call.message, message: { ...message, attachments } } };
}

function callFromJson(call: WiredCall): RemoteCall {
  if (call.call === 'send') return { call: 'send', rendering: renderingFromJson(call.rendering) };
  if (call.call !== 'render') return call;
  const { message } = call.message;
  const attachments = message.attachments.map(attachmentFromJson);
  return { call: 'render', message: { ...call.message, message: { ...message, attachments } } };
}

function attachmentToJson({ content, ...rest }: NeutralAttachment): WiredAttachment {
  return { ...rest, content: 'uri' in content ? content : { base64: Buffer.from(content.bytes).toString('base64') } };
}

function attachmentFromJson({ content, ...rest }: WiredAttachment): NeutralAttachment {
  return { ...rest, content: 'uri' in content ? content : { bytes: Buffer.from(content.base64, 'base64') } };
}
