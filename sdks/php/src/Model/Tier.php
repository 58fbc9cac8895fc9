<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What an account of this tier may have; null is no bound. */
final class Tier extends Model
{
    public readonly string $name;
    /** Requests a minute. */
    public readonly int $default_rate_limit;
    /** Requests a minute. */
    public readonly ?int $max_rate_limit;
    public readonly ?int $max_keys;
    public readonly ?int $max_customers;
    public readonly ?int $max_endpoints;
    /** @var list<string>|null */
    public readonly ?array $models;
    /** Seconds. */
    public readonly int $max_token_lifetime;
    /** @var list<string> */
    public readonly array $features;
}
