<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What a key or a customer used in a month. */
final class TopUsage extends Model
{
    public readonly ?string $key_id;
    public readonly ?string $name;
    public readonly ?string $customer_id;
    public readonly int $requests;
    public readonly int $prompt_tokens;
    public readonly int $cached_tokens;
    public readonly int $completion_tokens;
    /** Decimal text. */
    public readonly string $cost;
}
