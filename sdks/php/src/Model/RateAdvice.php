<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** The limit, the busiest minute, and a limit that leaves it room, all in requests a minute. */
final class RateAdvice extends Model
{
    public readonly string $verdict;
    public readonly int $current;
    public readonly ?int $peak_minute;
    public readonly ?int $advised;
}
