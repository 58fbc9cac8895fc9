# frozen_string_literal: true

require_relative "auth"

# What keys did and could do without, and requests as they happen. `verb` is a request's method.
module InnoAI
  # An hour in which the key was used, or refused.
  class ActivityHour < Record
    attributes :allowed, :refused
    attribute :hour, :time
  end

  # A route that the key asked for. required_scope: what another service asked for beside it.
  class RouteActivity < Record
    attributes :path, :scope, :required_scope, :allowed, :refused
    attribute :method, reader: :verb
    attribute :last_at, :time
  end

  # Where the key was called from: an address, the network of many, or `other`.
  class AddressActivity < Record
    attributes :address, :allowed, :refused
    attribute :last_at, :time
  end

  # A model that the key asked for.
  class ModelActivity < Record
    attributes :model, :allowed, :refused
    attribute :last_at, :time
  end

  # Requests that were refused alike.
  class RefusalActivity < Record
    attributes :code, :message, :path, :required_scope, :address, :model, :requests
    attribute :method, reader: :verb
    attribute :last_at, :time
  end

  # What a key did in whole hours. peak_minute: requests of the busiest minute.
  class KeyActivity < Record
    attributes :object, :key_id, :kept_days, :allowed, :refused, :peak_minute
    attribute :from, :time
    attribute :to, :time
    attribute :hours, [ActivityHour]
    attribute :routes, [RouteActivity]
    attribute :addresses, [AddressActivity]
    attribute :models, [ModelActivity]
    attribute :refusals, [RefusalActivity]
  end

  # What of a bound was used, what was not, and what would do instead; nil where nothing is advised.
  # verdict: `keep`, `narrow`, `unused` or `unknown`.
  class AdvicePart < Record
    attributes :verdict, :used, :unused, :advised
  end

  # The limit, the busiest minute, and a limit that leaves it room, all in requests a minute.
  class RateAdvice < Record
    attributes :verdict, :current, :peak_minute, :advised
  end

  # What to give to `keys.update`: `client.keys.update(id, **advice.change.to_h)`.
  class AdvisedChange < Record
    attributes :scopes, :allowed_ips, :models, :rate_limit
  end

  # What a key may do beyond what it did. would_refuse: admitted requests that `change` would refuse.
  class KeyAdvice < Record
    attributes :object, :key_id, :days, :kept_days, :requests, :would_refuse
    attribute :last_at, :time
    attribute :scopes, AdvicePart
    attribute :allowed_ips, AdvicePart
    attribute :models, AdvicePart
    attribute :rate_limit, RateAdvice
    attribute :change, AdvisedChange
  end

  # Requests that were alike.
  class PreviewExample < Record
    attributes :path, :address, :model, :requests
    attribute :method, reader: :verb
    attribute :last_at, :time
  end

  # Requests to which the change makes one difference. check, message: of the new refusal.
  class Difference < Record
    attributes :code, :check, :message, :required_scope, :requests
    attribute :examples, [PreviewExample]
  end

  # What the limit would have met. hours_above: hours that had a minute with more requests.
  class RatePreview < Record
    attributes :limit, :peak_minute, :hours_above
  end

  # What difference a change would have made to what the key did. Of `requests`, which were admitted, `refused` would
  # not have been. let_in: others that would. uncertain: too little is on record. outdated: refused as the key is now,
  # with the change or without it.
  class KeyPreview < Record
    attributes :object, :key_id, :days, :kept_days, :requests, :refused, :let_in, :uncertain, :outdated
    attribute :reasons, [Difference]
    attribute :admissions, [Difference]
    attribute :rate, RatePreview
  end

  # A request that was decided about, check by check. bearer: `key`, `token` or `customer`.
  class DecidedRequest < Record
    attributes :object, :request_id, :key_id, :customer_id, :bearer, :path, :address, :model, :allowed, :code, :message
    attribute :method, reader: :verb
    attribute :at, :time
    attribute :checks, [Check]
  end

  # So many lines of a stream were lost, as they were not read in time.
  class LostRequests < Record
    attributes :count
  end
end
