<?php

declare(strict_types=1);

namespace InnoAI\Model;

use DateTimeImmutable;

/** One finished request. */
final class UsageRecord extends Model
{
    public readonly string $object;
    public readonly string $request_id;
    public readonly DateTimeImmutable $at;
    public readonly string $account_id;
    public readonly ?string $key_id;
    public readonly ?string $customer_id;
    public readonly string $route;
    public readonly ?string $model;
    public readonly ?string $upstream;
    public readonly int $status;
    public readonly string $outcome;
    public readonly ?int $prompt_tokens;
    public readonly ?int $cached_tokens;
    public readonly ?int $completion_tokens;
    /** Decimal text; null where nothing was charged. */
    public readonly ?string $cost;
    /** The upstream did not say how many tokens it were. */
    public readonly bool $estimated;
    public readonly int $duration_ms;
    public readonly ?int $time_to_first_token_ms;
}
