<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** One of the answers, as far as this piece goes. */
final class ChunkChoice extends Model
{
    public readonly int $index;
    public readonly Delta $delta;
    public readonly ?string $finish_reason;
}
