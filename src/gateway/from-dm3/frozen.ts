import type { RemoteId } from '../../common/ids.js';
import type { Rendering } from '../adapter/adapter.js';
import type { FrozenRendering } from './payload.js';

export function renderingToJson({ remoteIds, body, conversation }: Rendering): FrozenRendering {
  return { remoteIds, body: Buffer.from(body).toString('base64'), conversation };
}

export function renderingFromJson({ remoteIds, body, conversation }: FrozenRendering): Rendering {
  return { remoteIds: remoteIds as readonly RemoteId[], body: Buffer.from(body, 'base64'), conversation };
}
