/** How a resource asks its client for the API key itself, without the key being in anyone's sight. */

/** @internal */
export const ROOT_KEY: unique symbol = Symbol('innoai.rootKey');

/** @internal */
export interface WithRootKey {
  /** The API key; in token auth it is sent to /auth/token alone. */
  [ROOT_KEY](): Promise<string>;
}
