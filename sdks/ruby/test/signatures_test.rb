# frozen_string_literal: true

require_relative "helper"

# The signatures in sig/ are those of the code.
class SignaturesTest < Minitest::Test
  SIGNATURES = File.expand_path("../sig", __dir__)

  # The declarations of all files, class by class: name => members.
  def self.declarations
    @declarations ||= Dir[File.join(SIGNATURES, "**/*.rbs")].each_with_object({}) do |file, all|
      # From rbs 3 on, what was parsed comes with where it was and with directives.
      gather(RBS::Parser.parse_signature(File.read(file, encoding: "UTF-8")).flatten, "", all)
    end
  end

  def self.gather(declared, within, all)
    declared.grep(RBS::AST::Declarations::Class).each do |one|
      all["#{within}#{one.name}"] = one.members
      gather(one.members, "#{within}#{one.name}::", all)
    end
    declared.grep(RBS::AST::Declarations::Module).each { |one| gather(one.members, "#{within}#{one.name}::", all) }
  end

  def setup
    require "rbs"
  rescue LoadError
    skip "rbs is not installed"
  end

  # The overloads of each method that is declared of a class; a reader has one, without arguments.
  def methods_of(kind)
    members = self.class.declarations.fetch(kind.name)
    methods = members.grep(RBS::AST::Members::MethodDefinition).reject(&:singleton?)
    readers = members.grep(RBS::AST::Members::AttrReader)
    methods.to_h { |method| [method.name, types(method)] }.merge(readers.to_h { |each| [each.name, []] })
  end

  # rbs 3 has another name for them.
  def types(method)
    (method.respond_to?(:overloads) ? method.overloads.map(&:method_type) : method.types).map(&:type)
  end

  def kinds(within, below)
    within.constants.map { |name| within.const_get(name) }.grep(Class).select { |kind| kind < below }
  end

  def test_each_record_has_the_members_that_it_declares
    records = kinds(InnoAI, InnoAI::Record)
    assert_operator records.size, :>, 40
    records.each { |kind| assert_equal kind.instance_methods(false).sort, methods_of(kind).keys.sort, kind.name }
  end

  def test_each_error_is_declared
    errors = kinds(InnoAI, InnoAI::Error).map(&:name)
    assert_empty errors - self.class.declarations.keys
  end

  def test_each_method_of_a_resource_takes_the_arguments_that_it_declares
    (kinds(InnoAI::Resources, InnoAI::Resources::Resource) - [InnoAI::Resources::Inference]).each do |kind|
      assert_equal kind.public_instance_methods(false).sort, methods_of(kind).keys.sort, kind.name
      assert_arguments kind
    end
  end

  def test_the_client_takes_the_arguments_that_it_declares
    declared = methods_of(InnoAI::Client).keys
    assert_empty declared - InnoAI::Client.public_instance_methods - [:initialize]
    assert_arguments InnoAI::Client
  end

  def assert_arguments(kind)
    methods_of(kind).each do |name, overloads|
      method = kind.instance_method(name)
      taken = method.parameters.group_by(&:first).transform_values { |each| each.map(&:last) }
      taken.default = []
      overloads.each do |type|
        named = type.required_keywords.keys + type.optional_keywords.keys
        assert_equal (taken[:key] + taken[:keyreq]).sort, named.sort, method.inspect
        assert_empty taken[:keyreq] - type.required_keywords.keys, method.inspect
        assert_equal taken[:req].size, type.required_positionals.size, method.inspect
      end
    end
  end
end
