<?php

declare(strict_types=1);

namespace InnoAI\Stream;

use InnoAI\Http\Response;
use InnoAI\Http\TransportFailure;
use InnoAI\Internal\Sender;

/**
 * A file, in pieces as they come. It is read once: by iterating it, by `lines()` or by `read()`.
 *
 * @implements \IteratorAggregate<int, string>
 */
final class Download implements \IteratorAggregate
{
    public function __construct(private readonly Response $response)
    {
    }

    /** @return \Generator<int, string> */
    public function getIterator(): \Generator
    {
        try {
            yield from $this->response->pieces();
        } catch (TransportFailure $failure) {
            throw Sender::connectionError($failure);
        }
    }

    /**
     * The lines, without their ends.
     *
     * @return \Generator<int, string>
     */
    public function lines(): \Generator
    {
        $rest = '';
        foreach ($this as $piece) {
            $lines = explode("\n", $rest . $piece);
            $rest = array_pop($lines);
            foreach ($lines as $line) {
                yield $line;
            }
        }
        if ($rest !== '') {
            yield $rest;
        }
    }

    /** All that is to come. */
    public function read(): string
    {
        return implode('', iterator_to_array($this, false));
    }

    /** End it; what did not come yet is lost. */
    public function close(): void
    {
        $this->response->close();
    }

    /** @return array<never, never> */
    public function __serialize(): array
    {
        throw new \LogicException('A download holds a connection and is not serialized.');
    }
}
