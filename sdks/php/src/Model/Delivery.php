<?php

declare(strict_types=1);

namespace InnoAI\Model;

use DateTimeImmutable;

/** An event on its way to an endpoint. `event` and `log` come with a single delivery alone. */
final class Delivery extends Model
{
    public readonly string $id;
    public readonly string $object;
    public readonly string $endpoint_id;
    public readonly string $event_id;
    public readonly string $event_type;
    /** `pending`, `succeeded` or `failed`. */
    public readonly string $state;
    public readonly int $attempts;
    public readonly ?DateTimeImmutable $next_attempt_at;
    public readonly DateTimeImmutable $created_at;
    public readonly ?DateTimeImmutable $finished_at;
    public readonly ?Event $event;
    /** @var list<Attempt>|null */
    #[ListOf(Attempt::class)]
    public readonly ?array $log;
}
