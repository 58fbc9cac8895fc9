# frozen_string_literal: true

require "socket"

# A webhook receiver: takes every delivery, and hands it to whoever waits.
class Receiver
  # A delivery as it came; names of headers in lower case.
  Delivery = Struct.new(:headers, :body)

  def initialize
    @server = TCPServer.new("127.0.0.1", 0)
    @came = Queue.new
    @thread = Thread.new { loop { serve(@server.accept) } }
  end

  def url
    "http://127.0.0.1:#{@server.addr[1]}/webhooks"
  end

  # The next delivery.
  def wait
    Timeout.timeout(20) { @came.pop }
  end

  def close
    @thread.kill
    @server.close
  end

  private

  def serve(socket)
    socket.gets
    headers = {}
    while (field = socket.gets) && field != "\r\n"
      name, value = field.chomp.split(": ", 2)
      headers[name.downcase] = value
    end
    @came << Delivery.new(headers, socket.read(headers.fetch("content-length").to_i))
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
  ensure
    socket.close
  end
end
