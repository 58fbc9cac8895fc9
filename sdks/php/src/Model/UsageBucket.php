<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** The usage of one group; the members that it was not grouped by are null. */
final class UsageBucket extends Model
{
    public readonly string $object;
    public readonly ?string $day;
    public readonly ?string $hour;
    public readonly ?string $model;
    public readonly ?string $key_id;
    public readonly ?string $customer_id;
    public readonly int $requests;
    public readonly int $failures;
    public readonly int $prompt_tokens;
    public readonly int $cached_tokens;
    public readonly int $completion_tokens;
    /** Decimal text. */
    public readonly string $cost;
}
