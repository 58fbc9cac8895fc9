<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** How many deliveries are made again. */
final class Replay extends Model
{
    public readonly string $object;
    public readonly int $count;
}
