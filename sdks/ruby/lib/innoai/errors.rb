# frozen_string_literal: true

module InnoAI
  # Whatever this gem raises of its own. Wrong arguments are ArgumentError and TypeError, as everywhere.
  class Error < StandardError; end

  # No API key was given and INNOAI_API_KEY is not set.
  class MissingApiKey < Error; end

  # Something went wrong between this client and the server.
  class APIError < Error
    # @return [String, nil] the server's code, like `rate_limit_exceeded`
    attr_reader :code
    # @return [String, nil] the kind of error, like `rate_limit_error`
    attr_reader :type
    # @return [String, nil] the member of the request that is wrong, on invalid_request
    attr_reader :param
    # @return [String, nil] the scope that would have allowed the request, on insufficient_permissions
    attr_reader :required_scope
    # @return [Integer, nil] seconds to wait, on rate_limit_exceeded and wherever else the server names a wait
    attr_reader :retry_after
    # @return [String, nil] the id to quote to the operator, `req_…`
    attr_reader :request_id
    # @return [Hash{String => String}] the answer's headers, names in lower case
    attr_reader :headers

    # @param message [String, nil]
    # @param envelope [Hash, nil] the answer's `error` member
    # @param headers [Hash] the answer's headers, names in lower case
    def initialize(message = nil, envelope: nil, headers: {})
      super(message)
      @headers = headers
      envelope ||= {}
      @code, @type, @param, @required_scope =
        envelope.values_at(:code, :type, :param, :required_scope).map { |member| text(member) }
      @retry_after = seconds(envelope.fetch(:retry_after) { headers["retry-after"] })
      @request_id = headers["x-request-id"] || text(envelope[:request_id])
    end

    private

    def text(member)
      member if member.is_a?(String)
    end

    # Whole seconds, from the envelope's number or the header's digits (its date form is not read).
    def seconds(member)
      return Integer(member, 10) if member.is_a?(String) && member.match?(/\A[0-9]+\z/)

      member if member.is_a?(Integer)
    end
  end

  # No answer came, or only a part of one.
  class APIConnectionError < APIError
    # @param unsent [Boolean] whether it is certain that the server has seen nothing of the request
    def initialize(message = nil, unsent: false)
      super(message)
      @unsent = unsent
    end

    # Whether it is certain that the server has seen nothing of the request.
    def unsent?
      @unsent
    end
  end

  # Nothing came for as long as `timeout` or `open_timeout` say.
  class APITimeoutError < APIConnectionError; end

  # An answer that is well by its status, but not one of innoai's, such as a web page: `base_url` names something
  # else, or lacks `/v1`.
  class UnreadableAnswer < APIError; end

  # An answer that is no success. The subclasses name its status, and theirs the server's code.
  class APIStatusError < APIError
    # @return [Integer, nil] the HTTP status; nil when the error came in the middle of a stream
    attr_reader :status
    # @return [Object, nil] the answer's body as JSON, or as text where it is none
    attr_reader :body

    def initialize(message = nil, status: nil, headers: {}, body: nil, envelope: nil)
      super(message, envelope: envelope, headers: headers)
      @status = status
      @body = body
    end
  end

  # 400
  class BadRequestError < APIStatusError; end

  # 401
  class AuthenticationError < APIStatusError; end

  # 403
  class PermissionDeniedError < APIStatusError; end

  # 404
  class NotFoundError < APIStatusError; end

  # 409
  class ConflictError < APIStatusError; end

  # 422
  class UnprocessableEntityError < APIStatusError; end

  # 429
  class RateLimitError < APIStatusError; end

  # 500 and above
  class InternalServerError < APIStatusError; end

  # 401: the key or token is malformed, unknown, revoked or disabled.
  class InvalidApiKey < AuthenticationError; end

  # 401: the access or refresh token has outlived its lifetime.
  class TokenExpired < AuthenticationError; end

  # 402: the budget is used up.
  class InsufficientQuota < APIStatusError; end

  # 403: the credential lacks {#required_scope}.
  class InsufficientPermissions < PermissionDeniedError; end

  # 403: the key's allowed_ips do not contain the caller's address.
  class IpNotAllowed < PermissionDeniedError; end

  # 403: the model exists, but not for this key.
  class ModelNotAllowed < PermissionDeniedError; end

  # 404: no such model here.
  class ModelNotFound < NotFoundError; end

  # 400: the request does not fit the route; {#param} names the member.
  class InvalidRequest < BadRequestError; end

  # 404: no such route or resource.
  class NotFound < NotFoundError; end

  # 405: the route has no such method.
  class MethodNotAllowed < APIStatusError; end

  # 409: it exists already, or its state forbids this.
  class Conflict < ConflictError; end

  # 413: the body is larger than the server takes.
  class PayloadTooLarge < APIStatusError; end

  # 415: the route does not read this content type.
  class UnsupportedMediaType < APIStatusError; end

  # 429: more than the key's requests a minute; wait {#retry_after} seconds.
  class RateLimitExceeded < RateLimitError; end

  # 431: the header fields are larger than the server takes.
  class HeadersTooLarge < APIStatusError; end

  # 500: a fault of the server; quote {#request_id} to its operator.
  class InternalError < InternalServerError; end

  # 502: the model server failed.
  class UpstreamError < InternalServerError; end

  # 503: the server cannot decide or serve at the moment.
  class ServiceUnavailable < InternalServerError; end

  # 504: the model server did not answer in time.
  class UpstreamTimeout < InternalServerError; end

  # Which class an answer is raised as: by the server's code, else by the status.
  module Errors
    # The server's codes.
    BY_CODE = {
      "invalid_api_key" => InvalidApiKey,
      "token_expired" => TokenExpired,
      "insufficient_permissions" => InsufficientPermissions,
      "ip_not_allowed" => IpNotAllowed,
      "model_not_allowed" => ModelNotAllowed,
      "model_not_found" => ModelNotFound,
      "insufficient_quota" => InsufficientQuota,
      "rate_limit_exceeded" => RateLimitExceeded,
      "invalid_request" => InvalidRequest,
      "not_found" => NotFound,
      "method_not_allowed" => MethodNotAllowed,
      "conflict" => Conflict,
      "payload_too_large" => PayloadTooLarge,
      "headers_too_large" => HeadersTooLarge,
      "unsupported_media_type" => UnsupportedMediaType,
      "upstream_error" => UpstreamError,
      "upstream_timeout" => UpstreamTimeout,
      "service_unavailable" => ServiceUnavailable,
      "internal_error" => InternalError
    }.freeze

    # The statuses that have a class, for answers that are not in the server's envelope.
    BY_STATUS = {
      400 => BadRequestError,
      401 => AuthenticationError,
      403 => PermissionDeniedError,
      404 => NotFoundError,
      409 => ConflictError,
      422 => UnprocessableEntityError,
      429 => RateLimitError
    }.freeze

    module_function

    # The exception for an answer that is no success.
    # @param answer [Transport::Answer]
    # @return [APIStatusError]
    def from_answer(answer)
      body = answer.json_or_nil
      envelope = envelope_of(body)
      message = envelope && envelope[:message]
      message = sentence(answer.status) unless message.is_a?(String)
      kind = BY_CODE[envelope && envelope[:code]] || for_status(answer.status)
      kind.new(message, status: answer.status, headers: answer.headers, body: body || answer.text,
                        envelope: envelope)
    end

    # The exception for an event of a stream that holds an error, or nil for any other event.
    # @param event [Object] what the event's data is as JSON
    # @return [APIError, nil]
    def from_event(event)
      return unless event.is_a?(Hash) && event[:error]

      envelope = envelope_of(event)
      message = envelope && envelope[:message]
      message = "the stream ended with an error" unless message.is_a?(String)
      kind = BY_CODE[envelope && envelope[:code]]
      kind ? kind.new(message, body: event, envelope: envelope) : APIError.new(message, envelope: envelope)
    end

    def sentence(status)
      return "the server answered with status #{status}" unless status.between?(300, 399)

      "the server redirects (status #{status}), which innoai's API does not: look at base_url, which ends in /v1"
    end

    def envelope_of(body)
      envelope = body[:error] if body.is_a?(Hash)
      envelope if envelope.is_a?(Hash)
    end

    def for_status(status)
      BY_STATUS.fetch(status) { status >= 500 ? InternalServerError : APIStatusError }
    end
  end
end
