<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A text as a vector. */
final class Embedding extends Model
{
    public readonly int $index;
    public readonly string $object;
    /** @var list<float>|string base64 where that was asked for */
    public readonly array|string $embedding;
}
