<?php

declare(strict_types=1);

namespace InnoAI\Concurrency;

/**
 * Where the client waits, be it for bytes, for time or for another call: this one place.
 *
 * In a fiber of `Client::concurrently` the others go on meanwhile; everywhere else the process waits.
 *
 * @internal
 */
final class Waiting
{
    /** Seconds of the longest rest between two looks. */
    private const LONGEST_REST = 1.0;

    /** Monotonic seconds. */
    public static function now(): float
    {
        return hrtime(true) / 1e9;
    }

    /**
     * Until it is ready, or that moment has come.
     *
     * @param \Closure(): bool $ready
     */
    public static function until(\Closure $ready, ?float $until, ?Poll $poll): void
    {
        $wait = new Wait($ready, $until, $poll === null ? [] : [$poll]);
        if (Scheduler::isRunningThis()) {
            \Fiber::suspend($wait);
            return;
        }
        while (true) {
            $poll?->drive();
            if ($wait->isOver()) {
                return;
            }
            self::rest([$wait]);
        }
    }

    public static function sleep(float $seconds): void
    {
        self::until(static fn (): bool => false, self::now() + $seconds, null);
    }

    /**
     * Rest until one of these may go on.
     *
     * @param non-empty-array<Wait> $waits
     */
    public static function rest(array $waits): void
    {
        $wait = Wait::forAny($waits);
        if (Scheduler::isRunningThis()) {
            // Calls side by side within a call: the fibers around them go on as well, and may be what these wait for.
            \Fiber::suspend($wait);
            return;
        }
        $seconds = min(self::LONGEST_REST, max(0.0, ($wait->until ?? INF) - self::now()));
        if ($wait->polls === []) {
            self::block($seconds);
        } elseif (count($wait->polls) === 1) {
            $wait->polls[0]->rest($seconds);
        } else {
            // Nothing can wait for several of them at once, so each gets a moment.
            foreach ($wait->polls as $poll) {
                $poll->rest(min($seconds, 0.001));
            }
        }
    }

    /** Sleep as a process. */
    public static function block(float $seconds): void
    {
        usleep((int) ceil($seconds * 1e6));
    }
}
