<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What a live credential stands for. */
final class Validation extends Model
{
    public readonly bool $valid;
    public readonly string $key_id;
    /** @var list<string> */
    public readonly array $scopes;
    /** Requests a minute. */
    public readonly int $rate_limit;
    public readonly string $tier;
}
