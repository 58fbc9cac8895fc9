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
        $wait = new Wait($ready, $until, $poll);
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
        $polls = [];
        $seconds = self::LONGEST_REST;
        foreach ($waits as $wait) {
            if ($wait->until !== null) {
                $seconds = min($seconds, max(0.0, $wait->until - self::now()));
            }
            if ($wait->poll !== null) {
                $polls[spl_object_id($wait->poll)] = $wait->poll;
            }
        }
        if ($polls === []) {
            self::block($seconds);
        } elseif (count($polls) === 1) {
            current($polls)->rest($seconds);
        } else {
            // Nothing can wait for several of them at once, so each gets a moment.
            foreach ($polls as $poll) {
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
