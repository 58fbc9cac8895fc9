# frozen_string_literal: true

require_relative "helper"

# The chain of the log that the documentation holds, and what becomes of it when somebody touches it.
class AuditTest < Minitest::Test
  EXAMPLE = File.expand_path("../../../docs/audit-example.jsonl", __dir__)

  def entries
    File.foreach(EXAMPLE, encoding: "UTF-8").map { |line| InnoAI::Audit.read(line) }
  end

  # The same log written anew from an entry on, as who owns all of it could.
  def forged(from)
    previous = from.zero? ? InnoAI::Audit::BEGINNING : entries[from - 1]["hash"]
    entries[0...from] + entries[from..].map do |entry|
      entry = entry.merge("action" => "nothing.happened", "previous_hash" => previous)
      previous = InnoAI::Audit::Chain.digest(entry)
      entry.merge("hash" => previous)
    end
  end

  def verify(entries, **options)
    InnoAI::Audit.verify(entries, **options)
  end

  def test_the_example_is_whole
    verdict = verify(entries)
    assert_predicate verdict, :whole?
    assert_equal [entries.size, entries.last["hash"]], verdict.head.to_a
  end

  def test_each_entry_that_is_changed_removed_or_moved_is_named
    entries.each_index do |at|
      changed = entries
      changed[at] = changed[at].merge("address" => "192.0.2.99")
      assert_equal [at + 1, entries[at]["id"], "content changed"], verify(changed).to_a
      next if at == entries.size - 1

      removed = entries
      removed.delete_at(at)
      assert_equal [at + 1, nil, "entry missing"], verify(removed).to_a
    end
    twice = entries.insert(1, entries[0])
    assert_equal [2, entries[0]["id"], "link broken"], verify(twice).to_a
  end

  def test_a_head_tells_even_a_log_that_was_written_anew
    assert_predicate verify(forged(1)), :whole?
    head = InnoAI::Audit::Head.new(2, entries[1]["hash"])
    assert_equal [2, "does not reach the head"], verify(forged(1), heads: [head]).to_a.values_at(0, 2)
    assert_predicate verify(entries, heads: [head]), :whole?
    assert_equal [2, nil, "does not reach the head"], verify(entries.first(1), heads: [head]).to_a
    assert_predicate verify([], heads: [InnoAI::Audit::Head.new(0, InnoAI::Audit::BEGINNING)]), :whole?
  end

  def test_lines_that_are_no_entry_are_refused
    ["", "[]", "7", "{", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "\xFF"].each do |line|
      assert_raises(ArgumentError, line) { InnoAI::Audit.read(line) }
    end
  end

  # Digests that Python's json and hashlib gave.
  def test_numbers_and_control_characters_are_hashed_as_the_server_writes_them
    {
      { "a" => "\u0000\u001f\u007f\b\f\n\r\t\"\\/", "é" => "\u2028🦊" } =>
        "c5c7cf82461dbed94fd4e1234c4dcc3cb74db62540e708783fe168a6a6beb44c",
      { "z" => [1, 2.5, 1e16, 1e-5, 1e100, -0.0, true, nil, 10**30], "A" => {},
        "a" => [] } => "b9331042a1508bf9fc6a3b2cbd58b7b59d93d9d57fcf5b0ce47dbee44991044e"
    }.each { |entry, digest| assert_equal digest, InnoAI::Audit::Chain.digest(entry) }
  end
end
