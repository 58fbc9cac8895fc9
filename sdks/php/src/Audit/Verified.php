<?php

declare(strict_types=1);

namespace InnoAI\Audit;

/** The log is whole up to `head`, which is worth keeping. */
final class Verified
{
    public function __construct(public readonly Head $head)
    {
    }
}
