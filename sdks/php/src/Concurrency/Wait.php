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
     * @param list<Poll> $polls what has to be driven meanwhile
     */
    public function __construct(
        private readonly \Closure $ready,
        public readonly ?float $until,
        public readonly array $polls,
    ) {
    }

    /**
     * One that is over as soon as one of these is.
     *
     * @param non-empty-array<self> $waits
     */
    public static function forAny(array $waits): self
    {
        $ready = static function () use ($waits): bool {
            foreach ($waits as $wait) {
                if ($wait->isOver()) {
                    return true;
                }
            }
            return false;
        };
        $moments = array_filter(array_map(static fn (self $wait): ?float => $wait->until, $waits));
        return new self($ready, $moments === [] ? null : min($moments), self::pollsOf($waits));
    }

    /**
     * What has to be driven for these, each once.
     *
     * @param array<self> $waits
     * @return list<Poll>
     */
    public static function pollsOf(array $waits): array
    {
        $polls = [];
        foreach ($waits as $wait) {
            foreach ($wait->polls as $poll) {
                $polls[spl_object_id($poll)] = $poll;
            }
        }
        return array_values($polls);
    }

    public function isOver(): bool
    {
        return ($this->ready)() || ($this->until !== null && Waiting::now() >= $this->until);
    }
}
