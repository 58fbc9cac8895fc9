# frozen_string_literal: true

module InnoAI
  # A text that is not shown by inspect, pp, JSON or YAML, and that Marshal refuses. {#reveal} gives it.
  #
  # It is held by a closure, so that whoever walks through instance variables does not come upon it.
  class Secret
    # What is shown in its place.
    HIDDEN = "[hidden]"

    # @param text [String]
    def initialize(text)
      held = text.dup.freeze
      @reveal = -> { held }
      freeze
    end

    # @return [String]
    def reveal
      @reveal.call
    end

    # @return [String]
    def inspect
      HIDDEN
    end
    alias to_s inspect

    # For JSON and for Rails.
    def as_json(*)
      HIDDEN
    end

    # For JSON.
    def to_json(*)
      "\"#{HIDDEN}\""
    end

    # For YAML.
    def encode_with(coder)
      coder.represent_scalar(nil, HIDDEN)
    end

    # For Marshal.
    def marshal_dump
      raise TypeError, "a secret is not dumped"
    end

    def ==(other)
      other.is_a?(Secret) && other.reveal == reveal
    end
    alias eql? ==

    def hash
      reveal.hash
    end
  end
end
