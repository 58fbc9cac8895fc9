<?php

declare(strict_types=1);

namespace InnoAI\Model;

use DateTimeImmutable;

/** An end customer of the account. `id` is the server's, `customer_id` the account's own. */
final class Customer extends Model
{
    public readonly string $id;
    public readonly string $object;
    public readonly string $customer_id;
    public readonly ?string $name;
    /** @var array<string, string> */
    public readonly array $metadata;
    public readonly bool $disabled;
    /** Requests a minute of all its credentials together; null is no bound beside theirs. */
    public readonly ?int $rate_limit;
    public readonly ?Budgets $budgets;
    public readonly DateTimeImmutable $created_at;
    public readonly DateTimeImmutable $updated_at;
}
