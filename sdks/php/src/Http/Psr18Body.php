<?php

declare(strict_types=1);

namespace InnoAI\Http;

use Psr\Http\Message\StreamInterface;

/**
 * The body of a PSR-7 response.
 *
 * @internal
 */
final class Psr18Body implements Body
{
    private const PIECE = 8192;

    public function __construct(private readonly StreamInterface $stream)
    {
    }

    public function next(): ?string
    {
        try {
            while (!$this->stream->eof()) {
                $piece = $this->stream->read(self::PIECE);
                if ($piece !== '') {
                    return $piece;
                }
            }
        } catch (\RuntimeException $problem) {
            throw new TransportFailure(Failure::Lost, $problem::class . ": {$problem->getMessage()}");
        }
        return null;
    }

    public function settle(): void
    {
        $this->close();
    }

    public function close(): void
    {
        $this->stream->close();
    }

    /** @return array<never, never> */
    public function __debugInfo(): array
    {
        return [];
    }
}
