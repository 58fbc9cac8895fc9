<?php

declare(strict_types=1);

namespace InnoAI\Concurrency;

/**
 * What a fiber waits for.
 *
 * @internal
 */
final class Wait
{
    /**
     * @param \Closure(): bool $ready
     * @param float|null $until monotonic seconds at which it goes on in any case
     */
    public function __construct(
        public readonly \Closure $ready,
        public readonly ?float $until,
        public readonly ?Poll $poll,
    ) {
    }

    public function isOver(): bool
    {
        return ($this->ready)() || ($this->until !== null && Waiting::now() >= $this->until);
    }
}
