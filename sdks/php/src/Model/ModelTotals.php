<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** The usage of one model. */
final class ModelTotals extends Model
{
    public readonly ?string $model;
    public readonly int $requests;
    public readonly int $failures;
    public readonly int $prompt_tokens;
    public readonly int $cached_tokens;
    public readonly int $completion_tokens;
    /** Decimal text. */
    public readonly string $cost;
}
