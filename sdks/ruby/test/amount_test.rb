# frozen_string_literal: true

require "bigdecimal"

require_relative "helper"

# Money, to the last digit.
class AmountTest < Minitest::Test
  def amount(value)
    InnoAI::Amount.new(value)
  end

  def test_it_is_shown_as_the_wire_has_it
    {
      "0.003" => "0.003", "0.000000001" => "0.000000001", "1000.50" => "1000.5", "-0.05" => "-0.05", 20 => "20",
      "0" => "0", "-12" => "-12", 3r / 8 => "0.375", BigDecimal("1E-9") => "0.000000001", BigDecimal("1E3") => "1000",
      "123456789012345678901234567890.000000001" => "123456789012345678901234567890.000000001"
    }.each do |value, shown|
      assert_equal [shown, shown, "\"#{shown}\""],
                   [amount(value).to_s, amount(value).inspect, JSON.generate(amount(value))]
    end
  end

  def test_it_is_reckoned_with_exactly
    assert_equal amount("0.3"), amount("0.1") + amount("0.2")
    assert_equal amount("0.3"), ["0.1", "0.1", "0.1"].sum { |each| amount(each) }
    tenth = amount("0.1")
    assert_equal %w[1.1 -0.9 0.9 0.3 2.1], [tenth + 1, tenth - 1, 1 - tenth, tenth * 3, 2 + tenth].map(&:to_s)
    assert_equal 1r / 30, amount("0.1") / 3
    assert_equal ["0.13", "0.1", "-0.1"], [amount("0.125").round(2), amount("-0.1").abs, -amount("0.1")].map(&:to_s)
    assert_equal amount("0.5"), amount("0.25") + BigDecimal("0.25")
    assert_equal [3r / 8, 0, 0.375], [amount("0.375").to_r, amount("0.375").to_i, amount("0.375").to_f]
    assert_equal BigDecimal("0.375"), amount("0.375").to_d
  end

  def test_it_is_compared_by_value
    assert_equal amount("1.0"), amount("1")
    assert_equal [amount("1"), BigDecimal("0.5")], [1, amount("0.5")]
    assert_equal BigDecimal("0.5"), amount("0.5")
    assert_equal %w[-1 0.5 2], [amount("2"), amount("-1"), amount("0.5")].sort.map(&:to_s)
    assert_equal 1, [amount("1.0"), amount("1")].uniq.size
    assert_operator amount("0.5"), :<, 1
    assert_predicate amount("0"), :zero?
    refute_equal amount("1"), "1"
    refute_equal amount("1"), nil
  end

  def test_what_is_not_exact_is_refused
    [1.5, nil, [], Time.now].each { |value| assert_raises(TypeError) { amount(value) } }
    texts = ["", "1e3", "1,5", "$1", "NaN", " 1", "1\n", "0x1"]
    [*texts, 1r / 3, BigDecimal("NaN"), BigDecimal("Infinity")].each do |value|
      assert_raises(ArgumentError) { amount(value) }
    end
    assert_raises(TypeError) { amount("1") + 0.1 }
    assert_raises(TypeError) { 0.1 + amount("1") }
    assert_raises(TypeError) { amount("1") * 1.1 }
  end

  # As from Ruby 3.4 on, where it is no part of the library.
  def test_it_does_without_bigdecimal
    program = <<~RUBY
      require "innoai"
      begin
        InnoAI::Amount.new(1.5)
      rescue TypeError
        print InnoAI::Amount.new("1.50") + 1, " ", defined?(::BigDecimal).inspect
      end
    RUBY
    lib = File.expand_path("../lib", __dir__)
    assert_equal "2.5 nil", IO.popen([RbConfig.ruby, "-I", lib, "-e", program], &:read)
  end

  def test_it_survives_marshal
    assert_equal amount("0.003"), Marshal.load(Marshal.dump(amount("0.003")))
  end
end
