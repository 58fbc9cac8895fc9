<?php

declare(strict_types=1);

namespace InnoAI\Stream;

use InnoAI\Exception\APIConnectionError;
use InnoAI\Exception\APIError;
use InnoAI\Exception\APIStatusError;

/**
 * Where a stream of events is, and how it goes on.
 *
 *     unopened ──answer──▶ open ──lost──▶ pausing ──answer──▶ open
 *         └─ any error is thrown             └─ a refusal is thrown; else a pause twice as long
 *
 * @internal
 */
final class Place
{
    /** Seconds until the first attempt to connect again; each following one waits twice as long. */
    private const FIRST_PAUSE = 1.0;
    private const LONGEST_PAUSE = 30.0;
    /** So many failures are counted, and no more. */
    private const MANY_FAILURES = 16;
    /** Events that are known again: a server that goes on behind one begins a little before it. */
    private const REMEMBERED = 1000;

    private bool $opened = false;
    private float $firstPause = self::FIRST_PAUSE;
    private int $failures = 0;
    /** @var array<string, true> the ids of the latest events, the oldest first */
    private array $seen = [];

    public function __construct(public ?string $lastEventId)
    {
    }

    /** The server took the request: from now on a lost connection is made again. */
    public function opened(): void
    {
        $this->opened = true;
    }

    /** Something came, be it only a sign of life. */
    public function alive(): void
    {
        $this->failures = 0;
    }

    /** Note what the frame says about going on; whether it holds an event that did not come before. */
    public function passes(Frame $frame): bool
    {
        if ($frame->retry !== null) {
            $this->firstPause = $frame->retry / 1000;
        }
        if ($frame->id === null) {
            return $frame->data !== '';
        }
        $this->lastEventId = $frame->id;
        if ($frame->data === '' || isset($this->seen[$frame->id])) {
            return false;
        }
        $this->seen[$frame->id] = true;
        if (count($this->seen) > self::REMEMBERED) {
            unset($this->seen[array_key_first($this->seen)]);
        }
        return true;
    }

    /** Seconds to wait after the connection ended. Throws the problem where waiting is no remedy. */
    public function pause(?APIError $problem): float
    {
        if ($problem !== null && (!$this->opened || !self::mayPass($problem))) {
            throw $problem;
        }
        $pause = min($this->firstPause * 2 ** $this->failures, self::LONGEST_PAUSE);
        $this->failures = min($this->failures + 1, self::MANY_FAILURES);
        return $pause;
    }

    /** Whether the server may answer otherwise in a while. */
    private static function mayPass(APIError $problem): bool
    {
        if ($problem instanceof APIStatusError) {
            return $problem->status === 429 || $problem->status >= 500;
        }
        return $problem instanceof APIConnectionError;
    }
}
