# frozen_string_literal: true

require_relative "../record"

# Keys, customers, members and tiers.
module InnoAI
  # What may be spent in a calendar month (UTC), and altogether; nil is no bound. {Amount}s.
  class Budgets < Record
    attribute :monthly, :amount
    attribute :total, :amount
  end

  # A key of the account. `key` is the secret, set by create and rotate only. rate_limit: requests a minute.
  # status: `active`, `expired` or `revoked`.
  class ApiKey < Record
    attributes :id, :object, :name, :prefix, :last4, :scopes, :level, :allowed_ips, :rate_limit, :models,
               :customer_id, :status, :rotated_from, :rotated_to
    attribute :created_at, :time
    attribute :expires_at, :time
    attribute :revoked_at, :time
    attribute :last_used_at, :time
    attribute :budgets, Budgets
    attribute :key, secret: true
  end

  # The account's keys that stood in a text. `others`: whole keys in it that are not the account's.
  class LeakReport < Record
    attributes :object, :others
    attribute :keys, [ApiKey]
  end

  # An end customer of the account. `id` is the server's, `customer_id` the account's own.
  # rate_limit: requests a minute of all its credentials together; nil is no bound beside theirs.
  class Customer < Record
    attributes :id, :object, :customer_id, :name, :metadata, :disabled, :rate_limit
    attribute :created_at, :time
    attribute :updated_at, :time
    attribute :budgets, Budgets
  end

  # A person of the account. `invite_url` lets who has it join, and is set by create only.
  # role: `owner`, `admin`, `developer` or `viewer`. status: `invited` or `active`.
  class Member < Record
    attributes :id, :object, :email, :name, :role, :status
    attribute :invite_expires_at, :time
    attribute :created_at, :time
    attribute :invite_url, secret: true
  end

  # What an account of this tier may have; nil is no bound. The rate limits are requests a minute,
  # max_token_lifetime is seconds.
  class Tier < Record
    attributes :name, :default_rate_limit, :max_rate_limit, :max_keys, :max_customers, :max_endpoints, :models,
               :max_token_lifetime, :features
  end

  # What a credential may be allowed to do.
  class Scope < Record
    attributes :name, :description
  end

  # A named preset of scopes.
  class Level < Record
    attributes :name, :scopes
  end

  # A route and the scope that it asks for; nil where any live credential will do. `verb` is its method.
  class Route < Record
    attributes :path, :scope
    attribute :method, reader: :verb
  end

  # Who may do what: tiers (`data`), scopes, levels and routes.
  class AccessMatrix < Record
    attributes :object
    attribute :data, [Tier]
    attribute :scopes, [Scope]
    attribute :levels, [Level]
    attribute :routes, [Route]
  end
end
