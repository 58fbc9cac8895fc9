<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Internal\Call;
use InnoAI\Model\ChatCompletion;
use InnoAI\Stream\ChatStream;

/** Conversations with a model. */
final class ChatCompletions extends Resource
{
    /**
     * Go on with a conversation. With `'stream' => true` the answer is a stream of its pieces.
     *
     * Members that are not named here go to the model server as they are.
     *
     * @param array{
     *     model: string,
     *     messages: list<array<string, mixed>>,
     *     stream?: bool,
     *     max_completion_tokens?: int,
     *     temperature?: float,
     *     tools?: list<array<string, mixed>>,
     *     ...
     * } $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     * @return ($params is array{stream: true} ? ChatStream : ChatCompletion)
     */
    public function create(array $params, array $options = []): ChatCompletion|ChatStream
    {
        if (($params['stream'] ?? false) === true) {
            return $this->stream($params, $options);
        }
        return ChatCompletion::from($this->sender->object(Call::infer('/chat/completions', $params, $options)));
    }

    /**
     * Go on with a conversation, and read the answer piece by piece: `foreach ($stream as $chunk)`.
     *
     * @param array{model: string, messages: list<array<string, mixed>>, ...} $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function stream(array $params, array $options = []): ChatStream
    {
        $call = Call::infer('/chat/completions', [...$params, 'stream' => true], $options);
        return new ChatStream($this->sender->open($call));
    }
}
