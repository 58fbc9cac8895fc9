<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A model that the key asked for. */
final class ModelActivity extends Model
{
    public readonly string $model;
    public readonly int $allowed;
    public readonly int $refused;
    public readonly \DateTimeImmutable $last_at;
}
