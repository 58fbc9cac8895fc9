# frozen_string_literal: true

require "json"
require "net/http"
require "open3"
require "tmpdir"

# A real innoai server with the echo model, in a directory of its own, started when first asked for.
class Installation
  INNOAI = ENV.fetch("INNOAI_COMMAND", File.expand_path("../../../../.venv/bin/innoai", __dir__))
  SETTINGS = <<~TOML
    [limits]
    failed_auth = 1000000
    [webhooks]
    allowed_networks = ["127.0.0.0/8"]
    [models."inno-ai-boyong-4.5"]
    upstreams = [{ base_url = "echo:" }]
    [models."inno-ai-boyong-4.5".price]
    prompt = "1000"
    completion = "2000"
    [models.another]
    upstreams = [{ base_url = "echo:" }]
  TOML
  PATIENCE = 90

  class << self
    # The one that tests share, or nil where there is no innoai to start.
    def shared
      @shared ||= new if File.executable?(INNOAI)
    end
  end

  attr_reader :base_url, :admin_key, :origin

  def initialize
    @directory = Dir.mktmpdir("innoai-ruby")
    File.write(File.join(@directory, "innoai.toml"), SETTINGS)
    made, refusal, status = Open3.capture3(environment, INNOAI, "init", "--json", **options)
    raise refusal unless status.success?

    @admin_key = JSON.parse(made).fetch("api_key")
    start
    Minitest.after_run { stop }
  end

  private

  def environment
    { "PYTHONUTF8" => "1", "INNOAI_SERVER_BIND" => "127.0.0.1:0" }.merge(
      %w[INNOAI_API_KEY INNOAI_BASE_URL INNOAI_CONFIG INNOAI_SECRET].to_h { |name| [name, nil] }
    )
  end

  def options
    { chdir: @directory }
  end

  def start
    @log = IO.popen([environment, INNOAI, "serve", { err: %i[child out], **options }])
    Timeout.timeout(PATIENCE) do
      @origin = address
      @base_url = "#{@origin}/v1"
      @reader = Thread.new { nil while @log.gets }
      sleep 0.02 until ready?
    end
  end

  # Where it says that it listens.
  def address
    said = []
    while (line = @log.gets)
      said << line
      event = line.start_with?("{") ? JSON.parse(line) : {}
      return event["address"] if event["event"] == "listening"
    end
    raise "innoai did not start:\n#{said.join}"
  end

  def ready?
    Net::HTTP.get_response(URI("#{@origin}/readyz")).code == "200"
  rescue SystemCallError
    false
  end

  def stop
    Process.kill("TERM", @log.pid)
    @reader.join(PATIENCE)
    @log.close
    FileUtils.remove_entry(@directory)
  end
end
