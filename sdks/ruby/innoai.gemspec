# frozen_string_literal: true

require_relative "lib/innoai/version"

Gem::Specification.new do |spec|
  spec.name = "innoai"
  spec.version = InnoAI::VERSION
  spec.authors = ["The innoai maintainers"]
  spec.summary = "The client of innoai, a self-hosted AI gateway"
  spec.description = <<~TEXT
    Chat completions, streaming, embeddings and models through an innoai server, and its control plane: tokens that
    refresh themselves, API keys, customers, billing, webhooks, members and the audit log. Ruby's own library suffices.
  TEXT
  spec.homepage = "https://innoai.ph"
  spec.license = "Apache-2.0"
  spec.required_ruby_version = ">= 3.0"

  spec.files = Dir["lib/**/*.rb", "sig/**/*.rbs", "README.md", "CHANGELOG.md", "LICENSE", ".yardopts", base: __dir__]
  spec.extra_rdoc_files = %w[README.md CHANGELOG.md LICENSE]
  spec.require_paths = ["lib"]
  spec.metadata = { "rubygems_mfa_required" => "true" }
end
