<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What was done, by whom, from where; before and after without secrets. */
final class AuditEntry extends Model
{
    public readonly string $id;
    public readonly string $object;
    public readonly int $sequence;
    /** RFC 3339. */
    public readonly string $at;
    public readonly Actor $actor;
    public readonly string $action;
    public readonly ?string $target_id;
    public readonly ?string $address;
    public readonly ?string $request_id;
    /** @var array<string, mixed>|null */
    public readonly ?array $before;
    /** @var array<string, mixed>|null */
    public readonly ?array $after;
    public readonly string $previous_hash;
    public readonly string $hash;
}
