# frozen_string_literal: true

require "time"

module InnoAI
  module Transport
    # Whether a request is sent once more, and after how long.
    module Retries
      # Seconds before the first retry; each following pause is twice as long.
      FIRST_PAUSE = 0.5
      # Seconds that a pause is long at most, unless the server names one.
      LONGEST_PAUSE = 8.0
      # By so much of itself a pause is shorter, by chance.
      JITTER = 0.25
      # Seconds that a server may ask to wait; beyond that its refusal is final.
      LONGEST_WAIT = 120.0
      # Doubling is counted so far, and no further.
      MANY = 32

      # With these the server says that it did not begin, so that even what must not happen twice is repeated.
      REFUSED = [429, 503].freeze
      # The same for requests that may happen twice; all from 500 on are among them.
      PASSING = [408, 429].freeze

      NUMBER = /\A\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*\z/
      private_constant :NUMBER

      module_function

      # @param call [Call]
      # @param error [APIError] what became of it
      def again?(call, error)
        return call.repeatable? || error.unsent? if error.is_a?(APIConnectionError)
        return false unless error.is_a?(APIStatusError)

        wait = wait_of(error.headers)
        return false if wait && wait > LONGEST_WAIT

        case error.headers["x-should-retry"]
        when "true" then true
        when "false" then false
        else passing?(call, error.status)
        end
      end

      # Seconds to wait before the retry of that number, 0 for the first.
      # @param headers [Hash{String => String}] the answer's
      # @param random [#call] gives a number from 0 to below 1
      def pause(number, headers, random: -> { Kernel.rand })
        wait = wait_of(headers).to_f
        return wait if wait.positive? && wait <= LONGEST_WAIT

        [FIRST_PAUSE * (2.0**[number, MANY].min), LONGEST_PAUSE].min * (1 - (JITTER * random.call))
      end

      # Seconds that the server asks to wait, from now.
      # @return [Float, nil]
      def wait_of(headers)
        milliseconds, wait = headers.values_at("retry-after-ms", "retry-after")
        return milliseconds.to_f / 1000 if milliseconds&.match?(NUMBER)
        return wait.to_f if wait&.match?(NUMBER)

        wait && (Time.httpdate(wait) - Time.now)
      rescue ArgumentError
        nil
      end

      def passing?(call, status)
        return REFUSED.include?(status) unless call.repeatable?

        status >= 500 || PASSING.include?(status)
      end
    end
  end
end
