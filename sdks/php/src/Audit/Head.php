<?php

declare(strict_types=1);

namespace InnoAI\Audit;

/** How far a log had come: the sequence and the hash of an entry that has to be in it. Sequence 0 is before all. */
final class Head
{
    public function __construct(public readonly int $sequence, public readonly string $hash)
    {
    }
}
