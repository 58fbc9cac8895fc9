<?php

declare(strict_types=1);

namespace InnoAI\Stream;

/** A server-sent event. Without data it says something about the stream alone. */
final class Frame
{
    /** @param int|null $retry milliseconds to wait before the stream is opened again */
    public function __construct(
        public readonly ?string $event,
        public readonly string $data,
        public readonly ?string $id,
        public readonly ?int $retry,
    ) {
    }
}
