<?php

declare(strict_types=1);

namespace InnoAI\Concurrency;

/**
 * Runs calls side by side, each in a fiber: while one waits for its answer, the others go on.
 *
 * @internal
 */
final class Scheduler
{
    /** @var \WeakMap<\Fiber, true>|null the fibers that are ours to suspend */
    private static ?\WeakMap $ours = null;

    /** @var array<array-key, \Fiber> */
    private array $fibers = [];
    /** @var array<array-key, Wait> */
    private array $waits = [];
    /** @var array<array-key, mixed> */
    private array $results = [];
    /** @var array<array-key, \Throwable> */
    private array $failures = [];

    /** Whether the code that asks is in a fiber of a scheduler. Fibers of event loops are not ours to suspend. */
    public static function isRunningThis(): bool
    {
        $fiber = \Fiber::getCurrent();
        return $fiber !== null && isset(self::$ours[$fiber]);
    }

    /**
     * The results under the keys of the calls. All calls end before the first failure, in their order, is thrown.
     *
     * @param array<array-key, callable(): mixed> $calls
     * @param positive-int $limit how many are under way at once
     * @return array<array-key, mixed>
     */
    public function run(array $calls, int $limit): array
    {
        $pending = $calls;
        while ($pending !== [] || $this->waits !== []) {
            while ($pending !== [] && count($this->waits) < $limit) {
                $key = array_key_first($pending);
                $call = $pending[$key];
                unset($pending[$key]);
                $this->start($key, $call);
            }
            $this->turn();
        }
        $inOrder = [];
        foreach (array_keys($calls) as $key) {
            if (isset($this->failures[$key])) {
                throw $this->failures[$key];
            }
            $inOrder[$key] = $this->results[$key];
        }
        return $inOrder;
    }

    private function start(int|string $key, callable $call): void
    {
        $fiber = new \Fiber($call);
        self::$ours ??= new \WeakMap();
        self::$ours[$fiber] = true;
        $this->fibers[$key] = $fiber;
        $this->step($key, static fn (): mixed => $fiber->start());
    }

    /** Let go on whoever can; if nobody can, rest. */
    private function turn(): void
    {
        foreach (Wait::pollsOf($this->waits) as $poll) {
            $poll->drive();
        }
        $moved = false;
        foreach ($this->waits as $key => $wait) {
            if ($wait->isOver()) {
                $moved = true;
                $fiber = $this->fibers[$key];
                $this->step($key, static fn (): mixed => $fiber->resume());
            }
        }
        if (!$moved && $this->waits !== []) {
            Waiting::rest($this->waits);
        }
    }

    /** @param \Closure(): mixed $go */
    private function step(int|string $key, \Closure $go): void
    {
        unset($this->waits[$key]);
        try {
            $wait = $go();
        } catch (\Throwable $failure) {
            $this->failures[$key] = $failure;
            unset($this->fibers[$key]);
            return;
        }
        if ($this->fibers[$key]->isTerminated()) {
            $this->results[$key] = $this->fibers[$key]->getReturn();
            unset($this->fibers[$key]);
            return;
        }
        // A suspension that is not ours, by code of the caller's, goes on at the next turn.
        $this->waits[$key] = $wait instanceof Wait ? $wait : new Wait(static fn (): bool => true, null, []);
    }
}
