# frozen_string_literal: true

require_relative "../page"
require_relative "../records/inference"
require_relative "../stream"
require_relative "resource"

module InnoAI
  module Resources
    # A route that a model answers.
    class Inference < Resource
      private

      # A model's answer costs money, so a request whose answer got lost is not sent again of itself: only one
      # that was refused before it began, or one with an idempotency_key.
      def infer(path, whole, pieces, stream:, idempotency_key:, body:, &block)
        if block || stream
          stream(path, pieces, body.merge(stream: true), idempotency_key, &block)
        else
          post(path, whole, body: body, idempotency_key: idempotency_key)
        end
      end

      def stream(path, pieces, body, key, &block)
        call = Transport::Call.new("POST", path, body: body, idempotency_key: key,
                                                 headers: { "accept" => "text/event-stream" })
        stream = Stream.new(client.open(call), pieces)
        return stream unless block

        stream.each(&block)
        nil
      end
    end

    # `client.chat`
    class Chat < Resource
      # @return [ChatCompletions]
      attr_reader :completions

      def initialize(client)
        @completions = ChatCompletions.new(client)
        super
      end
    end

    # Conversations.
    class ChatCompletions < Inference
      # Go on with a conversation.
      # @param model [String] `inno-ai-boyong-4.5`
      # @param messages [Array<Hash, ChatMessage>] `[{role: "user", content: "Hello"}]`
      # @param stream [Boolean] true gives a Stream, whose pieces come as the model says them
      # @param idempotency_key [String, nil] see the README on retries
      # @param others OpenAI's further members: temperature, max_tokens, tools, …
      # @yieldparam chunk [ChatCompletionChunk] with a block the answer is streamed into it
      # @return [ChatCompletion, Stream, nil] nil after a block
      def create(model:, messages:, stream: false, idempotency_key: nil, **others, &block)
        infer("/chat/completions", ChatCompletion, ChatCompletionChunk,
              stream: stream, idempotency_key: idempotency_key,
              body: { model: model, messages: messages, **others }, &block)
      end
    end

    # Texts that go on.
    class Completions < Inference
      # Go on with a text.
      # @param prompt [String, Array]
      # @return [Completion, Stream, nil] as {ChatCompletions#create}
      def create(model:, prompt:, stream: false, idempotency_key: nil, **others, &block)
        infer("/completions", Completion, Completion, stream: stream, idempotency_key: idempotency_key,
                                                      body: { model: model, prompt: prompt, **others }, &block)
      end
    end

    # The responses route.
    class Responses < Inference
      # Respond to a text or to messages.
      # @param input [String, Array]
      # @return [ModelResponse, Stream, nil] as {ChatCompletions#create}; a stream brings {ResponseEvent}s
      def create(model:, input:, stream: false, idempotency_key: nil, **others, &block)
        infer("/responses", ModelResponse, ResponseEvent, stream: stream, idempotency_key: idempotency_key,
                                                          body: { model: model, input: input, **others }, &block)
      end
    end

    # Texts as vectors.
    class Embeddings < Inference
      # Turn texts into vectors.
      # @param input [String, Array<String>]
      # @return [EmbeddingList]
      def create(model:, input:, idempotency_key: nil, **others)
        infer("/embeddings", EmbeddingList, nil, stream: false, idempotency_key: idempotency_key,
                                                 body: { model: model, input: input, **others })
      end
    end

    # Texts that should be flagged.
    class Moderations < Inference
      # Ask whether a text should be flagged.
      # @param input [String, Array<String>]
      # @return [Moderation]
      def create(model:, input:, idempotency_key: nil, **others)
        infer("/moderations", Moderation, nil, stream: false, idempotency_key: idempotency_key,
                                               body: { model: model, input: input, **others })
      end
    end

    # What may be asked.
    class Models < Resource
      # The models that the credential may use.
      # @return [Page<Model>]
      def list
        page_of("/models", Model)
      end

      # One of them.
      # @return [Model]
      def get(model)
        show(path("/models", :model, model), Model)
      end
    end
  end
end
