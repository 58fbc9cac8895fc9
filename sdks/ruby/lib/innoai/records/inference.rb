# frozen_string_literal: true

require_relative "../record"

# What the inference routes answer: OpenAI's shapes.
module InnoAI
  # How many tokens it took.
  class Usage < Record
    attributes :prompt_tokens, :completion_tokens, :total_tokens, :prompt_tokens_details,
               :completion_tokens_details
  end

  # The function that a tool call is for; `arguments` is JSON, as text.
  class ToolFunction < Record
    attributes :name, :arguments
  end

  # A tool that the model wants to be called. `index`: which one, in a stream.
  class ToolCall < Record
    attributes :index, :id, :type
    attribute :function, ToolFunction
  end

  # What the model said. It can be sent again among `messages`, as it is.
  class ChatMessage < Record
    attributes :role, :content, :refusal
    attribute :tool_calls, [ToolCall]
  end

  # One answer of several. finish_reason: `stop`, `length`, `tool_calls` or `content_filter`.
  class ChatChoice < Record
    attributes :index, :finish_reason, :logprobs
    attribute :message, ChatMessage
  end

  # An answer to a conversation.
  class ChatCompletion < Record
    attributes :id, :object, :created, :model, :system_fingerprint, :service_tier
    attribute :choices, [ChatChoice]
    attribute :usage, Usage
  end

  # What comes of one answer in a chunk.
  class ChunkChoice < Record
    attributes :index, :finish_reason, :logprobs
    attribute :delta, ChatMessage
  end

  # A piece of a streamed answer. `usage` comes with the last, if `stream_options: {include_usage: true}`
  # asks for it.
  class ChatCompletionChunk < Record
    attributes :id, :object, :created, :model, :system_fingerprint, :service_tier
    attribute :choices, [ChunkChoice]
    attribute :usage, Usage
  end

  # One continuation of several.
  class CompletionChoice < Record
    attributes :index, :text, :finish_reason, :logprobs
  end

  # How a text goes on; a streamed one comes in pieces of the same shape.
  class Completion < Record
    attributes :id, :object, :created, :model, :system_fingerprint
    attribute :choices, [CompletionChoice]
    attribute :usage, Usage
  end

  # A text as a vector.
  class Embedding < Record
    attributes :object, :index, :embedding
  end

  # The vectors, in the order of the input.
  class EmbeddingList < Record
    attributes :object, :model
    attribute :data, [Embedding]
    attribute :usage, Usage
  end

  # A part of what a model said.
  class ContentPart < Record
    attributes :type, :text, :annotations
  end

  # Something that the model put out: a message, a tool call, reasoning.
  class OutputItem < Record
    attributes :id, :type, :role, :status
    attribute :content, [ContentPart]
  end

  # An answer of the responses route.
  class ModelResponse < Record
    attributes :id, :object, :created_at, :model, :status, :usage
    attribute :output, [OutputItem]

    # @return [String] all texts of it, put together
    def output_text
      Array(output).flat_map { |item| Array(item.content) }.map(&:text).join
    end
  end

  # An event of a streamed response: what else it has depends on its type, `event[:delta]`.
  class ResponseEvent < Record
    attributes :type
  end

  # Whether a text should be flagged, and as what.
  class ModerationResult < Record
    attributes :flagged, :categories, :category_scores
  end

  # A result for each input.
  class Moderation < Record
    attributes :id, :model
    attribute :results, [ModerationResult]
  end

  # A model that the credential may use. created: seconds since the epoch.
  class Model < Record
    attributes :id, :object, :created, :owned_by
  end
end
