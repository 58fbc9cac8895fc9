# frozen_string_literal: true

module InnoAI
  # Server-sent events out of bytes, however these are cut (HTML Standard §9.2.6). An event that was cut off
  # is none.
  class EventDecoder
    # An event, or an id without one. retry: milliseconds; nil is what was not said.
    Frame = Struct.new(:event, :data, :id, :retry, keyword_init: true)

    LINE_END = /\r\n|\r|\n/n
    BYTE_ORDER_MARK = "\uFEFF".b.freeze
    private_constant :LINE_END, :BYTE_ORDER_MARK

    def initialize
      @bytes = String.new(encoding: Encoding::BINARY)
      @looked_through = 0
      @began = false
      @after_cr = false
      forget
    end

    # @param piece [String] the bytes that came
    # @yieldparam frame [Frame]
    def feed(piece)
      return self if piece.empty?

      @bytes << piece.b
      each_line do |line|
        frame = take(line)
        yield frame if frame
      end
      self
    end

    private

    # The lines that are whole. A CR ends one at once, and an LF behind it, be it in the next piece, ends none.
    def each_line
      from = @after_cr && @bytes.start_with?("\n") ? 1 : 0
      while (at = @bytes.index(LINE_END, [from, @looked_through].max))
        ending = Regexp.last_match(0)
        yield text(@bytes.byteslice(from, at - from))
        from = at + ending.bytesize
        @looked_through = from
      end
      @after_cr = from.positive? && @bytes.getbyte(from - 1) == 13 && from == @bytes.bytesize
      @bytes = @bytes.byteslice(from..)
      @looked_through = @bytes.bytesize
    end

    def text(line)
      line = line.delete_prefix(BYTE_ORDER_MARK) unless @began
      @began = true
      line.force_encoding(Encoding::UTF_8).scrub
    end

    def take(line)
      return dispatch if line.empty?

      name, _, value = line.partition(":")
      value = value.delete_prefix(" ")
      case name
      when "event" then @event = value
      when "data" then @data << value
      when "id" then @id = value unless value.include?("\0")
      when "retry" then @retry = value.to_i if value.match?(/\A[0-9]+\z/)
      end
      nil
    end

    def dispatch
      frame = Frame.new(event: @event, data: @data.join("\n"), id: @id, retry: @retry)
      said = !@data.empty? || @id || @retry
      forget
      frame if said
    end

    def forget
      @event = @id = @retry = nil
      @data = []
    end
  end
end
