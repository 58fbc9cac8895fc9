# frozen_string_literal: true

require "json"
require "time"

require_relative "amount"
require_relative "secret"

module InnoAI
  # What the server answers: a frozen value. Members that this version of the gem does not know are kept, and
  # nothing is refused. `record.name` and `record[:name]` give a member, {#to_h} all of them as the server sent
  # them, and `case record in {name:, key:}` takes it apart.
  #
  # Secrets are given by their reader, `[]`, `to_h` and pattern matching, and shown by nothing else: inspect,
  # `to_json` and YAML hide them, Marshal refuses them.
  class Record
    # A declared member: what its value is made into.
    Attribute = Struct.new(:type, :secret)
    private_constant :Attribute

    class << self
      # Declare members that are taken as they come.
      def attributes(*names)
        names.each { |name| attribute(name) }
      end

      # Declare a member.
      # @param name [Symbol]
      # @param type [:time, :amount, Class, Array<Class>, nil] :time is a Time, :amount an {Amount}, a class
      #   of records is one, in an Array many; nil is taken as it comes
      # @param secret [Boolean] whether it is hidden
      # @param reader [Symbol] the method that gives it
      def attribute(name, type = nil, secret: false, reader: name)
        declared[name] = Attribute.new(type, secret).freeze
        define_method(reader) { self[name] }
      end

      # @api private
      def declared
        @declared ||= superclass.respond_to?(:declared) ? superclass.declared.dup : {}
      end

      # The record of what was answered; what is no object is given back as it is.
      # @api private
      def from(value)
        value.is_a?(Hash) ? new(value) : value
      end
    end

    # @param members [Hash{Symbol => Object}] as JSON has them
    def initialize(members)
      @members = members.to_h { |name, value| [name, cast(self.class.declared[name], value)] }.freeze
      @written = members.slice(*@members.keys.select { |name| text_of_another?(@members[name]) }).freeze
      freeze
    end

    # @return [Object, nil] the member of that name
    def [](name)
      value = @members[name.to_sym]
      value.is_a?(Secret) ? value.reveal : value
    end

    # `dig(:choices, 0, :message, :content)`
    def dig(name, *rest)
      value = self[name]
      rest.empty? || value.nil? ? value : value.dig(*rest)
    end

    # Whether the server sent that member.
    def key?(name)
      @members.key?(name.to_sym)
    end

    # @return [Hash{Symbol => Object}] all members as the server sent them, secrets among them
    def to_h
      written(&:reveal)
    end

    # For `case record in {…}`.
    def deconstruct_keys(names)
      (names || @members.keys).select { |name| key?(name) }.to_h { |name| [name, self[name]] }
    end

    # The members as the server sent them, secrets hidden.
    def as_json(*)
      written(&:to_s)
    end

    # JSON of {#as_json}: a message of an answer can be sent again as it is.
    def to_json(*state)
      as_json.to_json(*state)
    end

    # For YAML: what {#as_json} gives.
    def encode_with(coder)
      coder.represent_map(nil, as_json.transform_keys(&:to_s))
    end

    def ==(other)
      other.instance_of?(self.class) && other.members == members
    end
    alias eql? ==

    def hash
      [self.class, @members].hash
    end

    def inspect
      shown = @members.map { |name, value| " #{name}=#{value.inspect}" }.join(",")
      "#<#{self.class}#{shown}>"
    end
    alias to_s inspect

    # For Marshal; raises TypeError where a secret is among the members.
    def marshal_dump
      [@members, @written]
    end

    # For Marshal.
    def marshal_load(dumped)
      @members, @written = dumped.map(&:freeze)
      freeze
    end

    protected

    attr_reader :members

    # The members as the server wrote them; the block says what is written for a secret.
    def written(&secret)
      @members.to_h { |name, value| [name, @written.fetch(name) { wire(value, &secret) }] }
    end

    private

    def cast(attribute, value)
      type = attribute&.type
      return Secret.new(value) if attribute&.secret && value.is_a?(String)
      return value.map { |each| cast_one(type.first, each) }.freeze if type.is_a?(Array) && value.is_a?(Array)

      cast_one(type, value)
    end

    def cast_one(type, value)
      case type
      when :time then time(value)
      when :amount then amount(value)
      when Class then type.from(value)
      else frozen(value)
      end
    end

    def time(value)
      value.is_a?(String) ? Time.iso8601(value).freeze : value
    rescue ArgumentError
      value
    end

    def amount(value)
      value.nil? ? nil : Amount.new(value)
    rescue ArgumentError, TypeError
      value
    end

    def frozen(value)
      case value
      when Hash then value.each_value { |each| frozen(each) }
      when Array then value.each { |each| frozen(each) }
      end
      value.freeze
    end

    # Whether a value stands for another text than it would be written as.
    def text_of_another?(value)
      value.is_a?(Time) || value.is_a?(Amount)
    end

    def wire(value, &secret)
      case value
      when Secret then yield value
      when Record then value.written(&secret)
      when Array then value.map { |each| wire(each, &secret) }
      else value
      end
    end
  end
end
