<?php

declare(strict_types=1);

namespace InnoAI\Model;

use DateTimeImmutable;

/**
 * A key of the account.
 *
 * @property-read ?string $key the key itself, set by create and rotate alone
 */
final class ApiKey extends Model
{
    protected const SECRETS = ['key'];

    public readonly string $id;
    public readonly string $object;
    public readonly string $name;
    public readonly string $prefix;
    public readonly string $last4;
    /** @var list<string> */
    public readonly array $scopes;
    public readonly ?string $level;
    /** @var list<string> */
    public readonly array $allowed_ips;
    /** Requests a minute. */
    public readonly int $rate_limit;
    /** @var list<string>|null null: all models */
    public readonly ?array $models;
    public readonly ?string $customer_id;
    /** `active`, `expired` or `revoked`. */
    public readonly string $status;
    public readonly DateTimeImmutable $created_at;
    public readonly ?DateTimeImmutable $expires_at;
    public readonly ?DateTimeImmutable $revoked_at;
    public readonly ?DateTimeImmutable $last_used_at;
    public readonly ?string $rotated_from;
    public readonly ?string $rotated_to;
    public readonly ?Budgets $budgets;
}
