<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What a key may do beyond what it did. `would_refuse`: admitted requests that `change` would refuse. */
final class KeyAdvice extends Model
{
    public readonly string $object;
    public readonly string $key_id;
    public readonly int $days;
    public readonly int $kept_days;
    public readonly int $requests;
    public readonly ?\DateTimeImmutable $last_at;
    public readonly AdvicePart $scopes;
    public readonly AdvicePart $allowed_ips;
    public readonly AdvicePart $models;
    public readonly RateAdvice $rate_limit;
    public readonly ?AdvisedChange $change;
    public readonly int $would_refuse;
}
