# frozen_string_literal: true

require "json"
require "net/http"

# The scripted server of the conformance suite, a process of its own, started when first asked for.
class Scripted
  SUITE = File.expand_path("../../../conformance", __dir__)
  PYTHON = ENV.fetch("INNOAI_PYTHON", "python3")

  # A request as the server saw it.
  Seen = Struct.new(:verb, :path, :query, :headers, :body, :at, keyword_init: true) do
    def route
      "#{verb} #{path}"
    end

    def bearer
      headers["authorization"]&.delete_prefix("Bearer ")
    end

    def json
      JSON.parse(body.dup.force_encoding("UTF-8")) unless body.empty?
    end
  end

  class << self
    def server
      @server ||= new
    end

    def vectors(file, member = "cases")
      JSON.parse(File.read(File.join(SUITE, "#{file}.json"), encoding: "UTF-8")).fetch(member)
    end
  end

  attr_reader :base_url

  def initialize
    @pipe = IO.popen([PYTHON, File.join(SUITE, "server.py")], "r+")
    about = JSON.parse(@pipe.gets)
    @base_url = about.fetch("base_url")
    @control = URI(about.fetch("control_url"))
    Minitest.after_run { @pipe.close }
  end

  # What to answer from now on: route => answers. Forgets what was seen.
  def script(answers)
    @http&.finish
    @http = Net::HTTP.start(@control.hostname, @control.port)
    answer = @http.post("#{@control.path}/script", JSON.generate(answers), "content-type" => "application/json")
    raise answer.body unless answer.code == "204"
  end

  # What came since then.
  def seen
    JSON.parse(@http.get("#{@control.path}/requests").body).fetch("requests").map do |request|
      Seen.new(verb: request["method"], path: request["path"], query: request["query"], at: request["at"],
               headers: request["headers"], body: request["body"].unpack1("m0"))
    end
  end
end
