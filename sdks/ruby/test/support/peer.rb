# frozen_string_literal: true

require "socket"

# A server that misbehaves as the test says: the block is given each connection, and how many came before it.
class Peer
  attr_reader :connections, :requests

  # A request as bytes: its first line, and its body.
  Request = Struct.new(:line, :headers, :body)

  def initialize(&serving)
    @server = TCPServer.new("127.0.0.1", 0)
    @serving = serving
    @connections = 0
    @requests = Queue.new
    @gone = Queue.new
    @thread = Thread.new { accept }
  end

  def base_url
    "http://127.0.0.1:#{@server.addr[1]}/v1"
  end

  # Waits until a connection has been closed by the client.
  def wait_until_gone
    @gone.pop
  end

  # The next request on a connection, nil at its end.
  def read(socket)
    line = socket.gets or return
    headers = {}
    while (field = socket.gets) && field != "\r\n"
      name, value = field.chomp.split(": ", 2)
      headers[name.downcase] = value
    end
    request = Request.new(line.chomp, headers, socket.read(headers.fetch("content-length", 0).to_i))
    @requests << request
    request
  rescue SystemCallError
    nil
  end

  def answer(socket, body, status: "200 OK", headers: {})
    fields = { "content-type" => "application/json", "content-length" => body.bytesize, **headers }
    socket.write("HTTP/1.1 #{status}\r\n#{fields.map { |name, value| "#{name}: #{value}\r\n" }.join}\r\n#{body}")
  end

  # Begin a stream of server-sent events, to be gone on with by `chunk`.
  def begin_stream(socket)
    socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
  end

  def chunk(socket, text)
    socket.write("#{text.bytesize.to_s(16)}\r\n#{text}\r\n")
  end

  def close
    @thread.kill
    @server.close
  rescue IOError
    nil
  end

  private

  def accept
    loop do
      socket = @server.accept
      number = @connections
      @connections += 1
      Thread.new { serve(socket, number) }
    end
  end

  def serve(socket, number)
    @serving.call(self, socket, number)
  rescue SystemCallError, IOError
    nil
  ensure
    socket.close
    @gone << number
  end
end
