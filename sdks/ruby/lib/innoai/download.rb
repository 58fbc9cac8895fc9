# frozen_string_literal: true

module InnoAI
  # The bytes of an answer in pieces, as they come, to be read once: by {#each}, {#each_line} or {#read}.
  class Download
    include Enumerable

    # @api private
    # @param answer [Transport::OpenAnswer]
    def initialize(answer)
      @answer = answer
    end

    # @yieldparam piece [String]
    def each(&block)
      return enum_for(:each) unless block

      @answer.each(&block)
      self
    end

    # @yieldparam line [String] UTF-8, without its end
    def each_line
      return enum_for(:each_line) unless block_given?

      rest = String.new(encoding: Encoding::BINARY)
      each do |piece|
        *whole, rest = (rest << piece).split("\n", -1)
        whole.each { |line| yield text(line) }
        rest ||= String.new(encoding: Encoding::BINARY)
      end
      yield text(rest) unless rest.empty?
      self
    end

    # @return [String] all that is to come, as UTF-8
    def read
      text(@answer.whole.body.dup)
    end

    # End the connection; what did not come yet is lost.
    def close
      @answer.close
    end

    def inspect
      "#<#{self.class}>"
    end
    alias to_s inspect

    private

    def text(bytes)
      bytes.force_encoding(Encoding::UTF_8)
    end
  end
end
