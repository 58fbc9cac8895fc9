<?php

declare(strict_types=1);

namespace InnoAI\Http;

/** The head of an answer, and its body to be read. */
final class Response
{
    /** @param array<string, string> $headers names in lower case; of several with one name, the values joined by `, ` */
    public function __construct(
        public readonly int $status,
        private readonly array $headers,
        private readonly Body $body,
    ) {
    }

    public function header(string $name): ?string
    {
        return $this->headers[$name] ?? null;
    }

    /**
     * All of the body.
     *
     * @throws TransportFailure
     */
    public function text(): string
    {
        return implode('', iterator_to_array($this->pieces(), false));
    }

    /**
     * The body in pieces, as they come. Leaving the loop closes the connection.
     *
     * @return \Generator<int, string>
     * @throws TransportFailure
     */
    public function pieces(): \Generator
    {
        try {
            while (($piece = $this->body->next()) !== null) {
                yield $piece;
            }
        } finally {
            $this->body->close();
        }
    }

    /** End it where nothing more of it counts. */
    public function settle(): void
    {
        $this->body->settle();
    }

    /** End it without reading what is left. */
    public function close(): void
    {
        $this->body->close();
    }

    /** @return array{status: int} */
    public function __debugInfo(): array
    {
        return ['status' => $this->status];
    }
}
