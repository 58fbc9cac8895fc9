/** The people of the account. */

import type { APIPromise } from 'openai/core/api-promise';
import type { PagePromise } from 'openai/core/pagination';
import { APIResource } from 'openai/core/resource';

import { Page } from '../pages.js';
import { veiled } from '../secrecy.js';
import { once, type PageParams, type RequestOptions, segment } from './call.js';

export type Role = 'owner' | 'admin' | 'developer' | 'viewer';

/** A person of the account. `invite_url` lets who has it join, and is there by create only. */
export interface Member {
  id: string;
  object: 'member';
  email: string | null;
  name: string | null;
  role: Role;
  status: 'invited' | 'active';
  invite_expires_at: string | null;
  created_at: string;
  invite_url?: string;
}

/** A member with its invitation, which is shown this once. Printing it shows none. */
export interface NewMember extends Member {
  invite_url: string;
}

export interface MemberCreateParams {
  email: string;
  /** developer by default. */
  role?: Role;
  name?: string;
}

export interface MemberUpdateParams {
  role?: Role;
  name?: string | null;
}

export class Members extends APIResource {
  /** Invite a person: who has the answer's `invite_url` joins. With an Idempotency-Key, as keys. */
  create(params: MemberCreateParams, options?: RequestOptions): APIPromise<NewMember> {
    return this._client
      .post<NewMember>('/members', { ...once(options), body: params })
      ._thenUnwrap((member) => veiled(member, 'invite_url'));
  }

  /** The account's members. Iterating walks all pages. */
  list(params: PageParams = {}, options?: RequestOptions): PagePromise<Page<Member>, Member> {
    return this._client.getAPIList('/members', Page<Member>, { ...options, query: params });
  }

  /** The member of that id, `mem_…`. */
  get(memberId: string, options?: RequestOptions): APIPromise<Member> {
    return this._client.get(path(memberId), options);
  }

  /** Change what is given and leave the rest. The last owner stays one. */
  update(memberId: string, params: MemberUpdateParams, options?: RequestOptions): APIPromise<Member> {
    return this._client.patch(path(memberId), { ...options, body: params });
  }

  /** Remove the member. The last owner stays. */
  delete(memberId: string, options?: RequestOptions): APIPromise<void> {
    return this._client.delete(path(memberId), options);
  }
}

function path(memberId: string): string {
  return `/members/${segment('memberId', memberId)}`;
}
