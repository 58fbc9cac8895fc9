<?php

declare(strict_types=1);

namespace InnoAI\Stream;

use InnoAI\Exception\UnreadableAnswer;
use InnoAI\Http\Response;
use InnoAI\Http\TransportFailure;
use InnoAI\Internal\Json;
use InnoAI\Internal\Refusal;
use InnoAI\Internal\Sender;
use InnoAI\Model\ChatCompletionChunk;

/**
 * The answer to a conversation, piece by piece as it comes. It is read once; leaving the loop ends the connection, and
 * with it the work of the model.
 *
 * @implements \IteratorAggregate<int, ChatCompletionChunk>
 */
final class ChatStream implements \IteratorAggregate
{
    private const DONE = '[DONE]';

    private bool $read = false;

    public function __construct(private readonly Response $response)
    {
    }

    /** @return \Generator<int, ChatCompletionChunk> */
    public function getIterator(): \Generator
    {
        if ($this->read) {
            throw new \LogicException('A stream is read once, and this one was.');
        }
        $this->read = true;
        return $this->chunks();
    }

    /** The contents alone: what the model says, put together of the pieces' first choices. */
    public function text(): string
    {
        $text = '';
        foreach ($this as $chunk) {
            $text .= ($chunk->choices[0] ?? null)?->delta->content ?? '';
        }
        return $text;
    }

    /** End it before its end. */
    public function close(): void
    {
        $this->read = true;
        $this->response->close();
    }

    /** @return array<never, never> */
    public function __serialize(): array
    {
        throw new \LogicException('A stream holds a connection and is not serialized.');
    }

    /** @return \Generator<int, ChatCompletionChunk> */
    private function chunks(): \Generator
    {
        $decoder = new Decoder();
        try {
            foreach ($this->response->pieces() as $piece) {
                foreach ($decoder->feed($piece) as $frame) {
                    if ($frame->data === self::DONE) {
                        $this->response->settle();
                        return;
                    }
                    if ($frame->data !== '') {
                        yield $this->chunk($frame);
                    }
                }
            }
        } catch (TransportFailure $failure) {
            throw Sender::connectionError($failure);
        }
    }

    private function chunk(Frame $frame): ChatCompletionChunk
    {
        $members = Json::readObject($frame->data)
            ?? throw new UnreadableAnswer('A piece of the stream is no JSON object.');
        $error = $members['error'] ?? null;
        if ($error !== null || $frame->event === 'error') {
            throw Refusal::fromEnvelope(is_array($error) ? $error : $members, $this->response);
        }
        return ChatCompletionChunk::from($members);
    }
}
