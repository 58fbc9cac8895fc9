<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** So many lines of a stream were lost, as they were not read in time. */
final class LostRequests extends Model
{
    public readonly int $count;
}
