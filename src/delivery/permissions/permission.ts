import { z } from 'zod';

/** What an account may let other accounts of this service do: nothing at first. */
export const PERMISSIONS = ['deliveryStates', 'recall', 'presence'] as const;

export type Permission = (typeof PERMISSIONS)[number];

/** All of an account's permissions, as its owner reads and sets them. */
export type PermissionSet = Readonly<Record<Permission, boolean>>;

export const permissionsSchema: z.ZodType<PermissionSet> = z.strictObject({
  deliveryStates: z.boolean().default(false),
  recall: z.boolean().default(false),
  presence: z.boolean().default(false),
});

export function permissionSet(granted: readonly Permission[]): PermissionSet {
  return Object.fromEntries(PERMISSIONS.map((each) => [each, granted.includes(each)])) as PermissionSet;
}

export function grantedIn(set: PermissionSet): Permission[] {
  return PERMISSIONS.filter((each) => set[each]);
}
