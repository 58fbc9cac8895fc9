# frozen_string_literal: true

require "digest"
require "json"

module InnoAI
  # Is this audit log whole? The chain of its hashes, recomputed; no server is asked.
  #
  # The hash of an entry is SHA-256 over all its other members as JSON: sorted by name, without white space, UTF-8
  # unescaped. Among them is the hash before it, so that a changed, removed or inserted entry breaks a link. Who
  # owns the whole log could write all of it anew; a Head kept from an earlier time tells even that.
  module Audit
    # What the first entry names as the hash before it.
    BEGINNING = ("0" * 64).freeze

    # How far a log had come: the sequence and the digest of an entry that has to be in it. 0 is before all.
    Head = Struct.new(:sequence, :digest)

    # The log is whole up to `head`, which is worth keeping.
    Verified = Struct.new(:head) do
      # @return [true]
      def whole?
        true
      end
    end

    # The first entry that does not fit. id: nil where there is no such entry. why: a sentence.
    BrokenLink = Struct.new(:sequence, :id, :why) do
      # @return [false]
      def whole?
        false
      end
    end

    # What is wrong with a link.
    CONTENT_CHANGED = "content changed"
    LINK_BROKEN = "link broken"
    ENTRY_MISSING = "entry missing"
    HEAD_NOT_REACHED = "does not reach the head"

    # An object whose text shows no member twice.
    class EachOnce < Hash
      def []=(name, value)
        raise ArgumentError, "it has a member twice" if key?(name)

        super
      end
    end
    private_constant :EachOnce

    module_function

    # Follow the chain through all entries of a log, the oldest first, as `audit.export` gives them.
    # @param entries [Enumerable<Hash{String => Object}>]
    # @param heads [Enumerable<Head>] what the log has to pass through, as the server or an earlier verification
    #   names it
    # @return [Verified, BrokenLink]
    def verify(entries, heads: [])
      chain = Chain.new(heads)
      entries.each do |entry|
        broken = chain.take(entry)
        return broken if broken
      end
      chain.end
    end

    # The entry in a line of an export. Raises ArgumentError on what is no JSON object, or one whose text shows a
    # member twice: a reader may see the one, and the hash cover the other.
    # @param line [String]
    # @return [Hash{String => Object}]
    def read(line)
      entry = JSON.parse(line, object_class: EachOnce)
      raise ArgumentError, "it is no JSON object" unless entry.is_a?(Hash)

      entry
    rescue JSON::ParserError, EncodingError
      raise ArgumentError, "it is no JSON object", cause: nil
    end

    # The links so far: {#take} the entries one by one, then {#end}.
    class Chain
      class << self
        # @return [String] the hash that an entry should have
        def digest(entry)
          Digest::SHA256.hexdigest(canonical(entry.except("hash")))
        end

        private

        # JSON, sorted by name.
        def canonical(value)
          case value
          when Hash then "{#{value.sort.map { |name, each| "#{canonical(name)}:#{canonical(each)}" }.join(",")}}"
          when Array then "[#{value.map { |each| canonical(each) }.join(",")}]"
          # As Python writes it: 1e+16 and not 1.0e+16.
          when Float then value.to_s.sub(".0e", "e")
          else JSON.generate(value)
          end
        end
      end

      # @param heads [Enumerable<Head>]
      def initialize(heads = [])
        @heads = heads.group_by(&:sequence).transform_values { |named| named.map(&:digest) }
        @last = Head.new(0, BEGINNING)
      end

      # The next entry.
      # @return [BrokenLink, nil] what is wrong with it, if anything is
      def take(entry)
        sequence = @last.sequence + 1
        why = wrong(entry, sequence)
        return BrokenLink.new(sequence, why == ENTRY_MISSING ? nil : text(entry["id"]), why) if why

        @last = Head.new(sequence, entry["hash"])
        nil
      end

      # The verdict, after the last entry.
      # @return [Verified, BrokenLink]
      def end
        missed = @heads.keys.select { |sequence| sequence > @last.sequence }.min
        missed ? BrokenLink.new(missed, nil, HEAD_NOT_REACHED) : Verified.new(@last)
      end

      private

      def wrong(entry, sequence)
        found, digest, previous = entry.values_at("sequence", "hash", "previous_hash")
        return ENTRY_MISSING if found.is_a?(Integer) && found > sequence
        return CONTENT_CHANGED unless digest.is_a?(String) && digest == Chain.digest(entry)
        return LINK_BROKEN unless found == sequence && previous == @last.digest

        HEAD_NOT_REACHED unless @heads.fetch(sequence, [digest]).all?(digest)
      end

      def text(value)
        value if value.is_a?(String)
      end
    end
  end
end
