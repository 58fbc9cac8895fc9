<?php

declare(strict_types=1);

namespace InnoAI\Model;

use DateTimeImmutable;

/** What happened. The shape of `data` belongs to the type; `webhooks->eventTypes()` has its schema. */
final class Event extends Model
{
    public readonly string $id;
    public readonly string $object;
    public readonly string $type;
    public readonly DateTimeImmutable $created_at;
    public readonly string $account_id;
    /** @var array<string, mixed> */
    public readonly array $data;
}
