# frozen_string_literal: true

module InnoAI
  # An amount of money: a decimal number, exact, and shown as such: `0.003`. It is added up, multiplied and compared
  # with other amounts, whole numbers, Rational and BigDecimal; with a Float, which is not exact, it is not.
  #
  # Ruby's BigDecimal is no part of its library any more from 3.4 on; {#to_d} gives one where it is installed.
  class Amount < Numeric
    DECIMAL = /\A[+-]?[0-9]+(?:\.[0-9]+)?\z/
    private_constant :DECIMAL

    # @param value [String, Integer, Rational, Amount, BigDecimal] `"0.003"`. Raises TypeError on a Float and on what
    #   is no number, ArgumentError on what is no finite decimal
    def initialize(value)
      super()
      @value = exact(value)
      @places = (0..).find { |places| (@value * (10**places)).denominator == 1 }
      freeze
    end

    def +(other)
      Amount.new(@value + exact(other))
    end

    def -(other)
      Amount.new(@value - exact(other))
    end

    def *(other)
      Amount.new(@value * exact(other))
    end

    # @return [Rational] which need not be a decimal
    def /(other)
      @value / exact(other)
    end
    alias quo /

    def -@
      Amount.new(-@value)
    end

    def <=>(other)
      @value <=> (other.is_a?(Amount) ? other.to_r : other) if other.is_a?(Numeric)
    end

    def ==(other)
      (self <=> other) == 0 # rubocop:disable Style/NumericPredicate -- it may be nil
    end

    def eql?(other)
      other.is_a?(Amount) && other.to_r == @value
    end

    def hash
      @value.hash
    end

    # For `1 + amount`.
    def coerce(other)
      [Amount.new(other), self]
    end

    # @return [Amount] with that many decimal places
    def round(places = 0, half: :up)
      Amount.new(@value.round(places, half: half))
    end

    # @return [Rational]
    def to_r
      @value
    end

    # @return [Integer]
    def to_i
      @value.to_i
    end

    # @return [Float] which is not exact
    def to_f
      @value.to_f
    end

    # @return [BigDecimal]
    def to_d
      require "bigdecimal"
      BigDecimal(to_s)
    end

    # @return [String] plainly: `0.000000001`
    def to_s
      digits = (@value * (10**@places)).to_i.abs.to_s.rjust(@places + 1, "0")
      digits.insert(-@places - 1, ".") if @places.positive?
      negative? ? "-#{digits}" : digits
    end
    alias inspect to_s

    private

    def exact(value)
      case value
      when Amount, Integer then value.to_r
      when String then decimal(value)
      when Rational then terminating(value)
      else big_decimal(value)
      end
    end

    def decimal(text)
      raise ArgumentError, "an amount is like 12.50, not #{text.inspect}" unless text.match?(DECIMAL)

      Rational(text)
    end

    # BigDecimal is there only where somebody has loaded it.
    def big_decimal(value)
      unless defined?(::BigDecimal) && value.is_a?(::BigDecimal)
        raise TypeError, "an amount is an Amount, a BigDecimal, a whole number or a text, not #{value.class}"
      end
      raise ArgumentError, "an amount is a finite number, not #{value}" unless value.finite?

      value.to_r
    end

    def terminating(value)
      rest = value.denominator
      [2, 5].each { |factor| rest /= factor while (rest % factor).zero? }
      raise ArgumentError, "an amount is a decimal number, not #{value}" unless rest == 1

      value
    end
  end
end
